"""What a run shows of itself: the same figures on a terminal, in a log and on the page."""

from __future__ import annotations

import io

from rich.console import Console

from bench.load.progress import Tally
from bench.run.screen import PanelScreen, PlainScreen, figures, percentiles, seconds, time_left
from tests.run.workers import progress


def tally() -> Tally:
    found = Tally(turns=30, sessions=10, warmup_turns=4, first_audible_ms=[800.0] * 30, ttft_ms=[700.0] * 5)
    found.errors["timeout"] = 2
    found.by_status.update({"ok": 28, "no_reply": 2})
    return found


def test_figures_are_in_pairs_and_say_what_is_not_known() -> None:
    shown = dict(figures(progress(tally=tally())))
    assert len(shown) % 2 == 0
    assert shown["turns"] == "30 (+4 warm-up)"
    assert shown["errors"] == "timeout 2", "each failed turn is counted once"
    assert shown["first audible p50 / p95"] == "800 / 800 ms"
    assert (shown["TTFT p50 / p95"], shown["spend"]) == ("700 / - ms", "-")
    assert percentiles([]) == "-"


def test_where_nothing_is_answered_the_waits_are_those_for_texts() -> None:
    found = Tally(turns=30, sessions=10, final_text_ms=[400.0] * 30, word_settled_ms=[300.0] * 30)
    shown = dict(figures(progress(tally=found)))
    assert len(shown) % 2 == 0
    assert shown["final text p50 / p95"] == "400 / 400 ms"
    assert shown["word settled p50 / p95"] == "300 / 300 ms"
    assert "TTFT p50 / p95" not in shown
    found.ttft_ms.append(1.0)
    assert {"TTFT p50 / p95", "final text p50 / p95"} <= set(dict(figures(progress(tally=found))))


def test_times() -> None:
    assert [seconds(value) for value in (5, 75, 3700)] == ["0:05", "1:15", "1:01:40"]
    assert [time_left(progress(elapsed_s=elapsed_s)) for elapsed_s in (30.0, 1.0)] == ["0:30", "-"]


def test_plain_lines_come_every_five_seconds_and_at_a_new_phase() -> None:
    text = io.StringIO()
    screen = PlainScreen(Console(file=text, width=300))
    for elapsed_s, phase in ((0.0, "ramp"), (2.0, "ramp"), (3.0, "steady"), (4.0, "steady"), (9.0, "steady")):
        screen.progress(progress(phase, elapsed_s, tally()))
    assert [line.split("]")[1].split()[1] for line in text.getvalue().splitlines()] == ["ramp", "steady", "steady"]


def test_the_panel_begins_with_the_first_progress() -> None:
    text = io.StringIO()
    screen = PanelScreen(Console(file=text, width=120, force_terminal=True), "sample")
    screen.note("waiting for 2 workers")
    assert "sample" not in text.getvalue()
    screen.progress(progress(tally=tally()))
    screen.close()
    assert "sample" in text.getvalue()
    assert "timeout 2" in text.getvalue()
