"""Each reading of the certificate, once within its bound and once beyond; what an old run lacks stays unknown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bench.facts.failure import ErrorKind
from bench.measure.outcome import was_given_up
from bench.report.findings import Summary
from bench.report.health_text import columns, readings
from bench.report.html import render_html
from bench.report.markdown import render_markdown
from bench.report.summary import summarise
from bench.report.terminal import render_terminal
from tests.report import build

CALLS = build.rows(calls=24, fails=0, warm=0)
OPEN = {"arrival": "poisson", "rate": "90/min", "duration": "5m", "max_open": 20}


def summary_of(root: Path, **changes: Any) -> Summary:
    return summarise(build.finished(root, *CALLS, **changes))


def everywhere(summary: Summary) -> tuple[str, str, str]:
    return render_terminal(summary), render_markdown(summary), render_html(summary)


def test_healthy_run_is_trusted_and_says_why(tmp_path: Path) -> None:
    found = summary_of(tmp_path)
    assert (found.health.trust, found.health.overload, found.health.cautions) == ("yes", [], [])
    assert found.verdict.warnings == []
    assert "48,000 audio frames, 99 % left within 1.4 ms" in found.health.conclusion[0]
    assert [worker.name for worker in found.health.workers] == ["w0", "w1"]
    assert found.health.workers[1].cpu_share_peak == 0.47
    assert found.health.frame_late is not None
    assert found.health.frame_late.p99_ms == 1.4


@pytest.mark.parametrize(
    "reading, within, beyond, said",
    [
        ("frame_late_ms", build.spread(10.0), build.spread(10.2), "audio frames left late: p99 10.2 ms in worker w1"),
        (
            "loop_lag_ms",
            build.spread(20.0),
            build.spread(41.0),
            "the event loop woke up late: p99 41.0 ms in worker w1",
        ),
        ("cpu_share_peak", 0.9, 0.97, "worker w1 used 97 % of its core at its busiest: spread the calls"),
        ("steal_share", 0.05, 0.12, "took 12.0 % of this one's CPU time (steal, bound 5 %)"),
    ],
)
def test_overload_warns_and_does_not_decide(
    tmp_path: Path, reading: str, within: object, beyond: object, said: str
) -> None:
    good = summary_of(tmp_path / "a", health=build.health(build.certificate(), build.certificate(**{reading: within})))
    assert good.health.overload == []
    bad = summary_of(tmp_path / "b", health=build.health(build.certificate(), build.certificate(**{reading: beyond})))
    assert (bad.verdict.name, bad.health.trust) == ("pass", "with care")
    assert len(bad.verdict.warnings) == 1
    assert said in bad.verdict.warnings[0]
    marked = [cell for row in readings(bad.health) for cell in row.cells if cell.bad]
    assert marked
    assert not [cell for row in readings(good.health) for cell in row.cells if cell.bad]


def test_many_busy_workers_are_one_warning(tmp_path: Path) -> None:
    health = build.health(*(build.certificate(cpu_share_peak=share) for share in (0.95, 0.99, 0.93, 0.2)))
    found = summary_of(tmp_path, health=health).health.overload
    assert len(found) == 1
    assert "worker w1 used 99 % of its core at its busiest, and 2 more above 90 %" in found[0]


def test_late_turns_make_it_invalid_and_name_what_was_wrong(tmp_path: Path) -> None:
    turns, sessions = build.rows(calls=24, fails=0, late=0.2, warm=0)
    busy = build.health(build.certificate(cpu_share_peak=0.99, frame_late_ms=build.spread(34.0)))
    found = summarise(build.finished(tmp_path, turns, sessions, health=busy))
    late = sum(row.client_late for row in turns)
    assert (found.verdict.name, found.verdict.exit_code, found.health.trust) == ("invalid", 4, "no")
    reasons = " | ".join(found.verdict.reasons)
    for said in (f"late itself in {late} of 120 turns", "p99 34.0 ms", "--workers"):
        assert said in reasons
    assert found.health.client_late_of == 120
    for text in everywhere(found):
        assert f"{late} of 120 (" in text


@pytest.mark.parametrize(
    "load, health, said",
    [
        (OPEN, {"arrivals": {"offered": 600, "achieved": 597, "dropped": 0}}, None),
        (OPEN, {"arrivals": {"offered": 600, "achieved": 540, "dropped": 0}}, "540 of 600 planned calls were begun"),
        (OPEN, {"arrivals": {"offered": 600, "achieved": 599, "dropped": 1}}, "1 call that came due was dropped"),
        (OPEN, {"dropped_arrivals": 3}, "3 calls that came due were dropped"),
        (OPEN, {"dropped_arrivals": 0}, None),
        ({"callers": 3}, {"dropped_arrivals": 0}, None),
    ],
)
def test_arrivals_not_as_offered(
    tmp_path: Path, load: dict[str, Any], health: dict[str, Any], said: str | None
) -> None:
    found = summary_of(tmp_path, scenario={"load": load}, health=build.health(**health))
    assert len(found.health.cautions) == (0 if said is None else 1)
    assert said is None or said in found.health.cautions[0]
    assert ("dropped" in render_terminal(found)) is (load is OPEN)
    assert all("dropped_arrivals" not in text for text in everywhere(found))


def test_process_stamps_are_a_caution_and_unknown_ones_are_read_from_the_calls(tmp_path: Path) -> None:
    anchors = {"w0": {"monotonic_ns": 1, "unix_s": 1.0, "pid": 1, "kernel_stamps": False}}
    anchors["w1"] = {**anchors["w0"], "kernel_stamps": None}
    found = summary_of(tmp_path, workers=anchors)
    assert found.health.kernel_stamps == {"w0": False, "w1": True}
    assert found.verdict.warnings == ["no kernel arrival times in w0: latencies include the harness's own delay"]
    assert "from the kernel in some workers, from the process in others" in render_terminal(found)


@pytest.mark.parametrize(
    "health", [{}, {"loop_lag_p99_ms": 0.8}, {"workers": None, "frame_late_ms": 3, "recv_lag_ms": {"n": "?"}}]
)
def test_run_without_a_certificate_is_not_called_healthy(tmp_path: Path, health: dict[str, Any]) -> None:
    found = summary_of(tmp_path, health=health, calibration=None)
    assert found.health.trust == "unknown"
    assert found.verdict.warnings == []
    terminal, markdown, html = everywhere(found)
    assert "can the numbers be trusted? Not known." in terminal
    assert "(worst of each turn)" in terminal, "what the rows know is still said"
    assert "holds no health certificate" in markdown
    assert "Other readings of this run" in html or not health or "workers" in health


def test_worker_that_vanished_has_a_column_of_dashes(tmp_path: Path) -> None:
    found = summary_of(tmp_path, health=build.health(build.certificate()))
    assert columns(found.health) == ("all", "w0", "w1")
    cpu = next(row for row in readings(found.health) if row.title == "CPU at its busiest")
    assert [cell.value for cell in cpu.cells] == ["", "44 %", "-"]
    assert found.health.trust == "with care"
    assert "no certificate from w1" in "; ".join(found.health.cautions)


def test_calibration_quotes_the_nearest_level(tmp_path: Path) -> None:
    found = summary_of(tmp_path).calibration
    assert found is not None
    assert (found.quoted_level, found.highest_level, found.exceeded) == (50, 200, False)
    assert found.run_calls_per_worker is not None
    terminal, markdown, html = everywhere(summary_of(tmp_path))
    assert "0.12 ms at 50 calls (this host, 2026-11-19, ws, 20 ms frames)" in terminal
    assert "200 calls within 1 ms error and 10 ms lateness" in terminal
    for text in (markdown, html):
        assert "3.52" in text, "every level is in the table, the failed ones too"
        assert "the server used 100 % of a core" in text


def test_more_calls_than_were_calibrated_is_a_warning(tmp_path: Path) -> None:
    peak = summary_of(tmp_path / "a").calibration
    assert peak is not None
    calls = peak.run_calls_per_worker
    assert calls is not None
    enough = build.calibration(highest_level=2 * calls, workers=2)
    assert summary_of(tmp_path / "b", calibration=enough.model_dump(mode="json")).verdict.warnings == []
    short = build.calibration(highest_level=calls - 1)
    found = summary_of(tmp_path / "c", calibration=short.model_dump(mode="json"))
    assert found.health.trust == "with care"
    assert (
        f"{calls} calls at once in one worker, and this host is calibrated for {calls - 1}" in found.verdict.warnings[0]
    )
    none = build.calibration(highest_level=None)
    failed = summary_of(tmp_path / "d", calibration=none.model_dump(mode="json"))
    assert "passed at no level" in failed.verdict.warnings[0]
    assert "Highest level                    -" in render_terminal(failed)


def test_no_calibration_and_one_that_cannot_be_read(tmp_path: Path) -> None:
    none = summary_of(tmp_path / "a", calibration=None)
    for text in everywhere(none):
        assert "bench calibrate" in text
    assert none.verdict.warnings == []
    odd = summary_of(tmp_path / "b", calibration={"schema_version": 9, "levels": "many"})
    assert odd.calibration is None
    assert "cannot be read by this version" in odd.verdict.warnings[0]


def test_what_differs_from_the_calibration_is_said(tmp_path: Path) -> None:
    kept = build.calibration(transport="wss", bench_version="0.0.9").model_dump(mode="json")
    found = summary_of(tmp_path, calibration=kept, scenario={"session": {"frame": "40ms"}}).calibration
    assert found is not None
    assert len(found.differences) == 3
    assert "this run used ws, the calibration wss" in found.differences
    same = summary_of(tmp_path / "b", scenario={"session": {"frame": "20ms"}}).calibration
    assert same is not None
    assert same.differences == []


@pytest.mark.parametrize(
    "session, said", [({"transcription": None}, "asks for no transcription"), ({}, "none of 120 turns has")]
)
def test_wer_that_was_not_measured_says_why(tmp_path: Path, session: dict[str, Any], said: str) -> None:
    turns, sessions = build.rows(calls=24, fails=0, warm=0)
    for row in turns:
        row.hits = row.substitutions = row.deletions = row.insertions = row.wer = None
    found = summarise(build.finished(tmp_path, turns, sessions, scenario={"session": session}))
    assert said in found.verdict.warnings[0]
    for text in everywhere(found):
        assert said in text


STOP = {"at": 1.0, "length_ms": 3204.2, "kind": "frozen"}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"gaps": [STOP], "gap_count": 1, "gap_longest_ms": 3204.2, "gap_total_ms": 3204.2},
            "stood still for 3,204 ms",
        ),
        ({"gaps": [{**STOP, "kind": "loop"}]}, "could not attend to its calls for 3,204 ms"),
        ({"gaps": [{**STOP, "kind": "suspended"}]}, "slept with its machine for 3,204 ms"),
        ({"gaps": [{**STOP, "kind": "clock"}]}, "saw its wall clock set by 3,204 ms"),
        ({"gaps": [{**STOP, "kind": "of a newer version"}]}, "stood still for 3,204 ms"),
        ({"gaps": [STOP, {**STOP, "length_ms": 60}, {**STOP, "length_ms": 30}]}, "; 1 more gap above 50 ms"),
        ({"gaps": [{**STOP, "length_ms": 49}]}, None),
        ({"gaps": [{**STOP, "length_ms": "?"}, 7, None]}, None),
        ({"gaps": "?"}, None),
        ({"host_cpu_share": 0.9, "host_cpu_full_share": 0.8}, "all CPUs of the machine of worker w0 were busy in 80 %"),
        ({"host_cpu_share": 0.9, "host_cpu_full_share": 0.05}, None),
        ({"cpu_pressure_share": 0.55}, "waited for a CPU in 55 % of the time"),
        ({"throttled_share": 0.2}, "the CPU limit of its container kept worker w0 from running in 20"),
        ({"host_cpu_full_share": None, "cpu_pressure_share": "x"}, None),
    ],
)
def test_a_worker_that_stood_still_and_a_full_machine_are_cautions(
    tmp_path: Path, changes: dict[str, Any], said: str | None
) -> None:
    found = summary_of(tmp_path, health=build.health(build.certificate(**changes), build.certificate()))
    warned = "; ".join(found.verdict.warnings)
    if said is None:
        assert (found.health.trust, found.health.overload) == ("yes", [])
        return
    assert said in warned
    assert found.health.trust == "with care"
    for text in everywhere(found):
        assert said.replace("3,204 ms", "") in text or said in text


def test_turns_that_a_gap_touched_are_counted_beside_it(tmp_path: Path) -> None:
    turns, sessions = build.rows(calls=40, fails=0, late=0.0, warm=0)
    for row in turns[:3]:
        row.client_late, row.gap_ms = True, 3200.0
    stopped = build.health(build.certificate(gaps=[STOP], gap_count=1, gap_longest_ms=3204.2, gap_total_ms=3204.2))
    found = summarise(build.finished(tmp_path, turns, sessions, health=stopped))
    assert "3 turns that this touched left out" in "; ".join(found.health.overload)
    assert found.verdict.name == "pass"
    shown = next(row for row in readings(found.health) if row.title == "Stood still at the longest, ms")
    assert (shown.cells[-1].value, shown.cells[-1].bad) == ("-", False) or shown.cells[0].bad


def test_calls_that_came_up_in_a_gap_leave_the_waits(tmp_path: Path) -> None:
    turns, sessions = build.rows(calls=40, fails=0, late=0.0, warm=0)
    sessions[0].connect_ms, sessions[0].gap_ms = 3300.0, 3200.0
    found = summarise(build.finished(tmp_path, turns, sessions, health=build.health()))
    row = found.metric("connect_ms")
    assert row is not None
    assert (row.n, row.worst is not None and row.worst < 3000) == (39, True)
    assert found.calls.by_status == {"ok": 40}
    sessions[1].status, sessions[1].error_kind, sessions[1].gap_ms = "failed", "closed", 3200.0
    again = summarise(build.finished(tmp_path / "again", turns, sessions, health=build.health()))
    assert (again.calls.by_status, again.calls.harness) == ({"ok": 39}, 1), "nobody else is blamed for it"


@pytest.mark.parametrize(
    ("error_kind", "http_status", "gap_ms", "ours"),
    [
        ("closed", None, 3200.0, True),
        ("timeout", None, 1000.0, True),
        ("handshake", None, 3200.0, True),
        ("closed", None, 45.0, False),
        ("auth", None, 3200.0, False),
        ("rate_limit", None, 3200.0, False),
        ("server", None, 3200.0, False),
        ("handshake", 404, 3200.0, False),
        ("closed", None, None, False),
    ],
)
def test_a_server_that_names_a_cause_of_its_own_is_believed(
    tmp_path: Path, error_kind: ErrorKind, http_status: int | None, gap_ms: float | None, ours: bool
) -> None:
    turns, sessions = build.rows(calls=40, fails=0, late=0.0, warm=0)
    call = sessions[1]
    call.status, call.error_kind, call.http_status, call.gap_ms = "failed", error_kind, http_status, gap_ms
    found = summarise(build.finished(tmp_path, turns, sessions, health=build.health()))
    assert found.calls.harness == int(ours)
    assert was_given_up(call) == ours
