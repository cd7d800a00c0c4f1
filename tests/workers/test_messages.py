"""Rows travel in columns and come back equal; a packed scenario is the same scenario elsewhere."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import msgpack
import pytest

from bench.audio.catalogue import load_catalogue
from bench.load.factory import fixtures_of
from bench.measure.records import TurnRecord
from bench.scenario.read import load_scenario
from bench.workers.messages import MOST_ROWS, batches, from_columns, to_columns
from bench.workers.package import pack, unpack
from tests.measure.build import good_reply, measure
from tests.support.processes import ROOT


def row(turn: int) -> TurnRecord:
    record = measure(good_reply())
    record.turn = turn
    return record


def test_rows_come_back_equal_through_a_real_message() -> None:
    rows = [row(turn) for turn in range(5)]
    wire = msgpack.unpackb(msgpack.packb(to_columns(rows)), strict_map_key=False)
    assert [asdict(back) for back in from_columns(TurnRecord, wire)] == [asdict(one) for one in rows]
    assert to_columns([]) == {}
    assert from_columns(TurnRecord, {}) == []


def test_columns_of_a_newer_version_are_left_out() -> None:
    columns = {**to_columns([row(1)]), "shoe_size": [43]}
    assert from_columns(TurnRecord, columns)[0].turn == 1


def test_batches_are_bounded_and_whole() -> None:
    rows = [row(1)] * (MOST_ROWS + 7)
    assert [len(piece) for piece in batches(rows)] == [MOST_ROWS, 7]


@pytest.mark.parametrize("name", ["quickstart", "push-to-talk", "telephone-g711"])
def test_a_packed_scenario_makes_the_same_calls_elsewhere(name: str, tmp_path: Path) -> None:
    scenario = load_scenario(ROOT / "scenarios" / f"{name}.yaml", url="ws://127.0.0.1:9/v1/realtime")
    assert scenario.target is not None
    wire = msgpack.unpackb(msgpack.packb(pack(scenario, scenario.target, fixtures_of(scenario))))
    there, target = unpack(wire, tmp_path)
    assert target.url == scenario.target.url
    assert (there.seed, there.session, there.conversation, there.load) == (
        scenario.seed,
        scenario.session,
        scenario.conversation,
        scenario.load,
    )
    here, away = load_catalogue(scenario.fixtures), load_catalogue(there.fixtures)
    for fixture in fixtures_of(there):
        assert away.get(fixture).speech_end_ms == here.get(fixture).speech_end_ms
        assert away.get(fixture).sha256 == here.get(fixture).sha256


def test_a_secret_never_travels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_KEY", "very-secret-value")
    scenario = load_scenario(
        ROOT / "scenarios" / "quickstart.yaml",
        url="ws://127.0.0.1:9/",
        overrides=["target.api_key=env:A_KEY"],
    )
    assert scenario.target is not None
    wire = msgpack.packb(pack(scenario, scenario.target, {}))
    assert b"very-secret-value" not in wire
    assert b"env:A_KEY" in wire
