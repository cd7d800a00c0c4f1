"""Aligned columns in a narrow terminal: columns go first, then names become shorter, and no line is too long."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.report.grid import grid
from bench.terminal import folded, shortened

ROWS = [
    ("NAME", "p50", "p95", "folder"),
    ("  north-virginia-second-vendor", "1,055", "1,752", "reports/20261120T020000Z-nightly"),
    ("  alpha", "9", "12", "reports/a"),
]


def table(width: int | None) -> list[str]:
    return grid(ROWS, right=(1, 2), width=width, drop=(1, 2), shorten=(0, 3))


@pytest.mark.parametrize(
    ("width", "heads"),
    [
        (None, ["NAME", "p50", "p95", "folder"]),
        (80, ["NAME", "p50", "p95", "folder"]),
        (74, ["NAME", "p95", "folder"]),
        (66, ["NAME", "folder"]),
        (40, ["NAME", "folder"]),
    ],
)
def test_columns_go_before_names(width: int | None, heads: list[str]) -> None:
    lines = table(width)
    assert lines[0].split() == heads
    assert width is None or max(map(len, lines)) <= width
    if width != 40:
        assert "north-virginia-second-vendor" in lines[1]
        assert "reports/20261120T020000Z-nightly" in lines[1]


def test_a_name_keeps_both_ends_and_a_path_its_own() -> None:
    name, folder = table(40)[1].split()
    assert name.startswith("north-")
    assert name.endswith("vendor")
    assert folder.startswith("…")
    assert folder.endswith("Z-nightly")


@given(st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), max_size=60), st.integers(1, 70))
def test_shortened_text_fits(text: str, room: int) -> None:
    said = shortened(text, room)
    assert len(said) <= room
    assert said == text or "…" in said


def test_a_sentence_is_broken_between_words_alone() -> None:
    said = "worse by 115 ms (95 %: +19..+237 ms) in nights/20261118T020000Z-nightly-of-a-very-long-name"
    lines = folded(said, 30, first="  ", then="    ").splitlines()
    assert " ".join(line.strip() for line in lines) == said
    assert all(len(line) <= 30 for line in lines[:-1])
