"""The order of the files of tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import LONGEST, PLAYING, in_turns

HERE = Path(__file__).parent
FILES = sorted(HERE.rglob("test_*.py"))


def test_the_longest_files_are_there() -> None:
    assert set(LONGEST) <= {f"{path.parent.name}/{path.stem}" for path in FILES}
    assert all((HERE / name).is_dir() for name in PLAYING)


def test_every_file_has_its_turn_and_both_kinds_last_to_the_end() -> None:
    order = in_turns(FILES)
    assert sorted(order) == FILES
    plays = [not PLAYING.isdisjoint(path.parts) for path in order]
    for part in (plays[: len(plays) // 4], plays[-len(plays) // 4 :]):
        assert sum(part) / len(part) == pytest.approx(sum(plays) / len(plays), rel=0.2)
    assert f"{order[0].parent.name}/{order[0].stem}" == LONGEST[0]
    assert in_turns(FILES[:1]) == FILES[:1]
