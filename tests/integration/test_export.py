"""`bench run` with its exports: what Prometheus and a collector were told is what the report says."""

from __future__ import annotations

import json
import subprocess
import time
import urllib.request
from pathlib import Path

import pandas as pd
import pytest

from tests.export.receiver import receiver
from tests.export.samples import Samples, samples
from tests.support.processes import voice_server
from tests.support.runs import start
from tests.support.warm import WarmRun

LOAD = ["--set", "load.callers=3", "--set", "load.sessions=6"]
PREFIX = "metrics: "


def scraped(process: subprocess.Popen[str] | WarmRun) -> list[Samples]:
    """Every scrape until the address closes."""
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line.startswith(PREFIX), line + process.stdout.read()
    found = []
    while True:
        try:
            with urllib.request.urlopen(line.removeprefix(PREFIX).strip(), timeout=10) as reply:
                found.append(samples(reply.read().decode()))
        except OSError:
            return found
        time.sleep(0.1)


@pytest.mark.parametrize("workers", ["0", pytest.param("2", marks=pytest.mark.slow)])
def test_the_last_scrape_and_the_file_are_the_report(scenario: Path, tmp_path: Path, workers: str) -> None:
    out, file = tmp_path / "run", tmp_path / "voice.prom"
    options = ["--prometheus", "0", "--prometheus-linger", "2s", "--prometheus-textfile", file, "--workers", workers]
    key = {"OTEL_EXPORTER_OTLP_HEADERS": "x-key=Hidden1"}
    with voice_server() as url, receiver() as told:
        options += ["--otlp", told.url]
        run = start("run", scenario, "--url", url, "--out", out, *LOAD, *options, **key)
        seen = scraped(run)
        output, _ = run.communicate(timeout=60)
    assert run.returncode == 0, output
    report = json.loads((out / "summary.json").read_text())
    written = samples(file.read_text())
    assert max(each.sum("voicebench_calls_open") for each in seen if each.of("voicebench_calls_open")) > 0
    assert any(len(each.of("voicebench_worker_cpu_ratio")) == int(workers) for each in seen)
    for last in (seen[-1], written):
        assert last.one("voicebench_verdict_info")["verdict"] == report["verdict"]["name"] == "pass"
        assert last.sum("voicebench_turns_total") == report["turns"]["total"] == 12
        assert last.sum("voicebench_calls_total") == report["calls"]["total"] == 6
        for metric, family in (("first_audible_ms", "turn_first_audible"), ("session_ready_ms", "call_session_ready")):
            row = next(each for each in report["metrics"] if each["name"] == metric)
            assert last.sum(f"voicebench_{family}_seconds_count") == row["n"]
            total_s = last.sum(f"voicebench_{family}_seconds_sum")
            assert total_s == pytest.approx(row["mean"] * row["n"] / 1000)
        for rate in report["rates"]:
            assert last.sum("voicebench_share_events_total", share=rate["name"]) == rate["events"]
    assert seen[-1] == written
    for series in ("turns", "calls"):
        assert told.total(f"voicebench_{series}") == report[series]["total"]
    assert told.total("voicebench_verdict_info", verdict="pass") == 1
    rows = pd.read_parquet(out / "turns.parquet")
    spans = {span.span_id: span for span in told.spans}
    turns = told.named("turn")
    assert len(turns) == len(rows) == 12
    assert len(told.named("call")) == 6 == len({span.trace_id for span in told.spans})
    assert all(spans[turn.parent_span_id].name.startswith("call") for turn in turns)
    began = sorted(turn.start_time_unix_nano / 1e9 for turn in turns)
    assert began == pytest.approx(sorted(rows["started_at"]), abs=1e-5)
    assert told.headers[-1]["x-key"] == "Hidden1"
    kept = [path for path in out.rglob("*") if path.is_file() and b"Hidden1" in path.read_bytes()]
    assert not kept
    assert "Hidden1" not in output
