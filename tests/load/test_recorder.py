"""Rows are kept and told in order, and a mistake of ours in measuring is a loss and ends nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from bench.facts.timeline import Timeline
from bench.load import recorder as module
from bench.load.recorder import Recorder
from bench.load.watchers import Watcher
from bench.measure.records import SessionRecord, TurnRecord, WallAnchor
from bench.pricing.book import NO_BOOKS
from bench.store.folder import RunFolder
from bench.store.spool import SpoolWriter
from tests.measure.build import facts, good_reply, timeline


def call_of(turns: int) -> Timeline:
    """A call of so many turns, each answered."""
    made = timeline(good_reply(), facts())
    made.turns.extend(facts(index=number) for number in range(1, turns))
    return made


class Told(Watcher):
    def __init__(self) -> None:
        self.rows: list[TurnRecord | SessionRecord] = []

    def turn(self, row: TurnRecord) -> None:
        self.rows.append(row)

    def session(self, row: SessionRecord) -> None:
        self.rows.append(row)


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[SpoolWriter]:
    with SpoolWriter(RunFolder(tmp_path), "w0") as writer:
        yield writer


def test_rows_are_told_once_they_are_kept_with_their_words(spool: SpoolWriter, tmp_path: Path) -> None:
    told = Told()
    recorder = Recorder(spool, WallAnchor(0, 0.0), NO_BOOKS, told)
    line = call_of(3)
    for turn in line.turns:
        recorder.turn_ended(line, turn)
    recorder.session_ended(line)
    recorder.flush()
    assert [type(row) for row in told.rows] == [TurnRecord] * 3 + [SessionRecord]
    lines = RunFolder(tmp_path).spool_turns("w0").read_bytes().splitlines()
    assert [orjson.loads(line)["turn"] for line in lines] == [0, 1, 2]
    assert spool.losses == []


@pytest.mark.parametrize("part", ["measure_but_words", "with_word_score", "measure_session"])
def test_a_mistake_of_ours_is_a_loss(spool: SpoolWriter, monkeypatch: pytest.MonkeyPatch, part: str) -> None:
    def fail(*_: object, **__: object) -> None:
        raise KeyError("ours")

    monkeypatch.setattr(module, part, fail)
    recorder = Recorder(spool, WallAnchor(0, 0.0), NO_BOOKS, Told())
    line = call_of(1)
    recorder.turn_ended(line, line.turns[0])
    recorder.session_ended(line)
    recorder.flush()
    assert any("KeyError: 'ours'" in loss for loss in spool.losses), spool.losses
