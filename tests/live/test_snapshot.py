"""The numbers of the live page are those of the report, and come to it row by row."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.live.snapshot import snapshot
from bench.live.stored import run_of, verdict_of
from bench.live.tail import SpoolTail
from bench.report.summary import summarise
from bench.store.finish import finish_run
from bench.store.folder import RunFolder
from bench.store.manifest import CalledTarget, read_manifest
from tests.report import build

BOUNDS = ["first_audible_ms: p95 < 900ms", "ttft_ms{accent=scottish}: p50 < 5s", "barge_in_stop_ms: p99 < 1s"]


def changes() -> dict[str, object]:
    scenario = build.manifest().scenario
    return {"scenario": {**scenario, "thresholds": BOUNDS}}


def test_the_last_numbers_are_those_of_the_report(tmp_path: Path) -> None:
    turns, sessions = build.rows(60, late=0.02)
    run = build.finished(tmp_path / "run", turns, sessions, **changes())
    shown, report = snapshot(run), summarise(run)
    for row in shown["latency"]:
        said = report.metric(row["name"])
        assert said is not None
        assert (row["n"], row["unanswered"]) == (said.n, said.unanswered)
        assert row["p50"] == pytest.approx(said.percentiles[0].value, abs=0.06)
        assert row["p95"] == pytest.approx(said.percentiles[2].value, abs=0.06)
    assert shown["latency"][0]["name"] == "first_audible_ms"
    assert shown["turns"]["measured"] == report.turns.measured
    assert shown["turns"]["answered"] == report.turns.answered
    assert shown["turns"]["per_min"] == report.load.turns_per_min
    assert shown["calls"]["ended"] == report.calls.total
    assert shown["cost"]["total_usd"] == report.cost.total_usd
    assert sum(each["count"] for each in shown["errors"]) == sum(row.count for row in report.errors)
    assert {each["name"]: each["rate"] for each in shown["rates"]} == {
        rate.name: rate.rate for rate in report.rates if rate.name in {each["name"] for each in shown["rates"]}
    }
    states = {True: "kept", False: "not kept", None: "no data"}
    assert [(each["threshold"], each["observed"], each["state"]) for each in shown["thresholds"]] == [
        (each.threshold, each.observed_text, states[each.ok]) for each in report.thresholds
    ]
    assert {each["state"] for each in shown["thresholds"]} == {"kept", "not kept", "no data"}


def test_a_run_that_only_transcribes_has_the_latencies_of_its_report(tmp_path: Path) -> None:
    turns, sessions = build.rows(30, fails=0.0)
    for row in turns:
        row.session_type, row.first_audible_ms, row.first_audio_ms, row.ttft_ms = "transcription", None, None, None
        row.caption_final_ms = 400.0 + row.turn
    run = build.finished(tmp_path / "run", turns, sessions)
    shown, report = snapshot(run), summarise(run)
    assert [row["name"] for row in shown["latency"]] == ["caption_final_ms"]
    said = report.metric("caption_final_ms")
    assert said is not None
    assert shown["latency"][0]["p50"] == pytest.approx(said.percentiles[0].value, abs=0.06)
    assert shown["slices"]["headline"] == said.title
    assert max(filter(None, shown["slices"]["headline_p50"])) <= 405


def test_rows_are_read_from_the_spool_as_they_come(tmp_path: Path) -> None:
    turns, sessions = build.rows(12)
    folder = RunFolder(tmp_path / "run")
    build.write_spool(folder, build.manifest(**changes()), turns[:20], sessions[:3])
    tail = SpoolTail(folder)
    assert tail.read_on() == 23
    assert tail.read_on() == 0
    seen = snapshot(run_of(folder, read_manifest(folder), tail.tables()))
    assert (seen["turns"]["ended"], seen["calls"]["ended"]) == (20, 3)
    with folder.spool_turns("w0").open("ab") as stream:
        stream.write(b'{"run_id": "half a ')
    assert tail.read_on() == 0, "a row that is being written waits"
    folder.spool_turns("w0").write_bytes(folder.spool_turns("w0").read_bytes().removesuffix(b'{"run_id": "half a '))
    assert tail.damage.torn == tail.damage.broken == 0
    tail.close()


def test_the_rows_are_there_although_the_spool_is_gone(tmp_path: Path) -> None:
    turns, sessions = build.rows(12)
    folder = RunFolder(tmp_path / "run")
    kept = build.manifest()
    build.write_spool(folder, kept, turns, sessions)
    tail = SpoolTail(folder)
    tail.read_on()
    run = finish_run(folder, kept)
    assert not folder.spool.exists()
    assert tail.read_on() == 0
    followed = snapshot(run_of(folder, read_manifest(folder), tail.tables(), last=True))
    stored = snapshot(run)
    assert followed["turns"] == stored["turns"]
    assert followed["latency"] == stored["latency"]
    assert followed["slices"] == stored["slices"]
    tail.close()


def test_a_run_without_a_row_has_no_numbers(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    build.write_spool(folder, build.manifest(), [], [])
    tail = SpoolTail(folder)
    tail.read_on()
    shown = snapshot(run_of(folder, read_manifest(folder), tail.tables()))
    assert shown["latency"] == shown["errors"] == shown["workers"] == []
    assert shown["turns"]["per_min"] is shown["cost"]["total_usd"] is None
    assert {each["state"] for each in shown["thresholds"]} == {"no data"}
    assert shown["slices"]["headline_p50"] == [None]


def test_a_worker_has_what_its_process_says_beside_what_its_rows_say(tmp_path: Path) -> None:
    turns, sessions = build.rows(12, late=0.2)
    run = build.finished(tmp_path / "run", turns, sessions)
    process = {"title": "w1 (pid 7)", "state": "lost", "calls_open": 3, "cpu_percent": 4.0, "memory_bytes": 5}
    moment = {"elapsed_s": 9.0, "workers": [process]}
    w0, w1 = snapshot(run, moment)["workers"]
    assert (w0["name"], w0["process"]) == ("w0", None)
    assert (w1["name"], w1["process"]) == ("w1", process)
    assert w0["turns"] + w1["turns"] == len(turns)
    assert w0["spoiled"] + w1["spoiled"] == sum(row.client_late and not row.warmup for row in turns)
    assert w0["frame_late_ms"] > 0


def test_a_verdict_is_there_once_the_report_is(tmp_path: Path) -> None:
    manifest = build.manifest()
    assert verdict_of(manifest) is None
    manifest.verdict, manifest.exit_code, manifest.reasons = "failed", 1, ["why"]
    found = verdict_of(manifest)
    assert found is not None
    assert (found["name"], found["exit_code"], found["reasons"]) == ("failed", 1, ["why"])
    assert found["meaning"]


@pytest.mark.parametrize(("names", "said"), [(("a",), "The target could"), (("a", "b"), "A target could")])
def test_one_of_several_targets_that_is_away_is_not_the_target(names: tuple[str, ...], said: str) -> None:
    targets = [CalledTarget(name=name, url="ws://h.example/") for name in names]
    found = verdict_of(build.manifest(targets=targets, target=targets[0], verdict="unreachable", exit_code=8))
    assert found is not None
    assert found["meaning"].startswith(said)
