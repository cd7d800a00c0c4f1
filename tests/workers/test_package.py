"""A packed run is the same run elsewhere, and holds no secret."""

from __future__ import annotations

from pathlib import Path

import msgpack
import pytest

from bench.audio.catalogue import load_catalogue
from bench.dialects.session_config import SessionConfig, with_files_read
from bench.load.factory import fixtures_of
from bench.load.spec import RunSpec, Workforce, callees_of
from bench.pricing.book import books_for
from bench.scenario.read import load_scenario
from bench.store.folder import RunFolder
from bench.workers.package import pack, unpack
from tests.support.processes import ROOT


def spec_of(name: str, root: Path, *overrides: str) -> RunSpec:
    scenario = load_scenario(
        ROOT / "scenarios" / f"{name}.yaml", url="ws://127.0.0.1:9/v1/realtime", overrides=overrides
    )
    assert scenario.target is not None
    return RunSpec(
        scenario=scenario,
        target=scenario.target,
        folder=RunFolder(root / "master"),
        run_id="run-7",
        books=books_for(None),
        fixtures=fixtures_of(scenario),
        workforce=Workforce(local=1, remote=2),
    )


@pytest.mark.parametrize("name", ["quickstart", "push-to-talk", "telephone-g711"])
def test_a_packed_run_makes_the_same_calls_elsewhere(name: str, tmp_path: Path) -> None:
    here = spec_of(name, tmp_path)
    wire = msgpack.unpackb(msgpack.packb(pack(here)))
    there = unpack(wire, tmp_path, lambda run_id: RunFolder(tmp_path / run_id))
    assert (there.run_id, there.folder.root, there.workforce.processes) == ("run-7", tmp_path / "run-7", 3)
    assert there.target.url == here.target.url
    assert there.books == here.books
    for part in ("seed", "session", "conversation", "load"):
        assert getattr(there.scenario, part) == getattr(here.scenario, part)
    assert list(there.fixtures) == list(here.fixtures)
    assert [each.name for each in there.callees] == [each.name for each in here.callees] == ["127.0.0.1"]
    away = load_catalogue(there.scenario.fixtures)
    for name_, fixture in here.fixtures.items():
        assert away.get(name_).speech_end_ms == there.fixtures[name_].speech_end_ms == fixture.speech_end_ms
        assert away.get(name_).sha256 == fixture.sha256


SEVERAL = """
name: several
targets:
  a: {url: "ws://127.0.0.1:9/", model: m, api_key: env:A_KEY, ca_file: authority.pem}
  b: {url: "ws://127.0.0.1:8/", session: {voice: {name: x}}, pricing: {model: gpt-realtime}}
conversation: [{say: yes-slt}]
load: {interleave: true, sessions: 4}
"""


def test_several_targets_travel_each_with_its_authority_its_session_and_its_prices(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(SEVERAL)
    (tmp_path / "authority.pem").write_text("certificate")
    scenario = load_scenario(tmp_path / "s.yaml", env={})
    callees = callees_of(scenario)
    here = RunSpec(
        scenario, callees[0].target, RunFolder(tmp_path / "m"), "run-7", callees[0].books, fixtures_of(scenario),
        interleaved=callees,
    )  # fmt: skip
    away = tmp_path / "away"
    away.mkdir()
    there = unpack(msgpack.unpackb(msgpack.packb(pack(here))), away, lambda run_id: RunFolder(away / run_id))
    assert [each.name for each in there.callees] == ["a", "b"]
    for one, other in zip(here.callees, there.callees, strict=True):
        assert one.books == other.books
        assert one.scenario.session == other.scenario.session
        assert (one.target.url, one.target.provider) == (other.target.url, other.target.provider)
    authority = there.callees[0].target.ca_file
    assert authority is not None
    assert authority.read_text() == "certificate"
    assert there.callees[1].target.ca_file is None
    assert there.callees[1].books.price_as == "gpt-realtime"


def test_a_secret_never_travels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_KEY", "very-secret-value")
    wire = msgpack.packb(pack(spec_of("quickstart", tmp_path, "target.api_key=env:A_KEY")))
    assert b"very-secret-value" not in wire
    assert b"env:A_KEY" in wire


def test_what_tools_answer_from_files_travels_with_the_run(tmp_path: Path) -> None:
    (tmp_path / "order.json").write_text('{"status": "shipped"}')
    session = SessionConfig.model_validate({"tools": [{"name": "t", "answer": {"file": str(tmp_path / "order.json")}}]})
    (tool,) = with_files_read(session).tools
    assert (tool.answer.value, tool.answer.file) == ('{"status": "shipped"}', None)
    assert SessionConfig.model_validate(with_files_read(session).model_dump(mode="json", by_alias=True)).tools == (
        tool,
    )
