"""The table of docs/dialects.md says of each dialect what its class says."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.dialects import dialect_names, dialect_of

PAGE = (Path(__file__).parents[2] / "docs" / "dialects.md").read_text()
HEARD = [name for name in dialect_names() if "realtime" in dialect_of(name).sessions]


def table() -> dict[str, dict[str, str]]:
    """Cells of "What each can tell", by row and dialect."""
    lines = PAGE.split("## What each can tell")[1].split("\n## ")[0].splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    names = [cell.strip("`") for cell in rows[0][1:]]
    return {row[0]: dict(zip(names, row[1:], strict=True)) for row in rows[2:]}


def row(start: str) -> dict[str, str]:
    (found,) = [cells for name, cells in table().items() if name.startswith(start)]
    return found


def test_every_dialect_that_answers_has_a_column() -> None:
    assert set(row("tokens")) == set(HEARD)
    assert all(f"| `{name}` |" in PAGE for name in dialect_names())


@pytest.mark.parametrize("name", HEARD)
def test_the_table_is_true(name: str) -> None:
    speaks = dialect_of(name)
    assert row("push to talk")[name].startswith("no") == ("manual" not in speaks.turn_detections)
    assert row("short-lived keys")[name].startswith("yes") == speaks.gives_short_keys
    assert row("caller's transcript")[name].startswith("yes") == speaks.transcribes
    assert row("cancel a reply")[name].startswith("yes") == any(
        "cancel_reply" in each.__dict__ for each in _own(speaks)
    )
    assert row("tools")[name].startswith("no") != any("tool_result" in each.__dict__ for each in _own(speaks))
    if "as the agent is set" not in row("caller's audio")[name]:
        assert ("G.711" in row("caller's audio")[name]) == ("pcmu" in speaks.formats)
        assert ("PCM" in row("caller's audio")[name]) == ("pcm16" in speaks.formats)


def _own(speaks: type) -> list[type]:
    """The class and those that it is a variant of, without the one that has no protocol."""
    return list(speaks.__mro__[:-3])
