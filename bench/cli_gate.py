"""`bench gate`: a run judged by the runs before it.

In: words on a command line; out: an exit code. As in `cli`, nothing heavy is imported at the top.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from bench.cli_compare import MattersOption, MetricOption
from bench.errors import BenchError
from bench.terminal import readable, say, terminal_width


def gate(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The run folder to be judged.")],
    baseline: Annotated[
        list[str] | None,
        typer.Option(
            "--baseline",
            metavar="DIR|last:N",
            help="Runs to judge by: a folder of run folders (repeatable), or the newest N beside RUN; default: last:7.",
        ),
    ] = None,
    metric: MetricOption = None,
    matters: MattersOption = None,
    allow: Annotated[
        list[str] | None,
        typer.Option(
            "--allow", metavar="CONDITION", help="What may differ in the window, such as load, all or failed."
        ),
    ] = None,
    false_alarms: Annotated[
        str, typer.Option("--false-alarms", metavar="SHARE", help="Runs without a change that may raise an alarm.")
    ] = "5%",
    least: Annotated[int, typer.Option("--least", metavar="N", min=3, help="The fewest runs to judge by.")] = 3,
    accept: Annotated[
        bool, typer.Option("--accept", help="The change is meant: later windows begin with this run. Exit code 0.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Write gate.html and others here, not into RUN.")
    ] = None,
) -> int:
    """Judge a run by a window of earlier ones: exit code 7 when it is worse than nights differ."""
    from bench.report.compare.comparison import check_allowed
    from bench.report.compare.matters import parse_matters
    from bench.report.compare.measures import measures
    from bench.report.gate.gate import Settings, usual_measures
    from bench.report.gate.gate import gate as judge
    from bench.report.gate.text import annotations_of, render_step_summary, render_text
    from bench.report.gate.window import FAILED, window_of
    from bench.report.gate.write import write_gate
    from bench.report.step_summary import hand_to_ci
    from bench.report.view import view_of
    from bench.store.reader import read_run

    if accept and out is not None:
        raise BenchError("--accept is noted in the run's own folder", hint="leave out --out")
    words, chosen = readable(allow or []), readable(baseline or []) or ["last:7"]
    check_allowed(words, FAILED)
    view = view_of(read_run(run))
    settings = Settings(
        measures=measures(readable(metric)) if metric else usual_measures(view),
        matters=parse_matters(readable(matters or [])),
        alpha=_share(false_alarms),
        least=least,
        accept=accept,
    )
    report = judge(view, window_of(view, chosen, words), ", ".join(chosen), settings)
    written = write_gate(report, out or run)
    say(render_text(report, written, terminal_width()))
    for line in hand_to_ci(render_step_summary(report), annotations_of(report), os.environ):
        say(f"{line}\n")
    return report.exit_code


def _share(text: str) -> float:
    """`5%` as a share."""
    try:
        value = float(text.strip().removesuffix("%")) / 100
    except ValueError:
        value = 0.0
    if not text.strip().endswith("%") or not 0 < value < 0.5:
        raise BenchError(f"--false-alarms '{text}': allowed: a share over 0% and below 50%", hint="such as 5%")
    return value
