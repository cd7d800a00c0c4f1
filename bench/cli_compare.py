"""`bench compare`: stored runs against the first of them.

In: words on a command line; out: an exit code. As in `cli`, nothing heavy is imported at the top.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.errors import BenchError, ExitCode
from bench.terminal import readable, say, terminal_width

MetricOption = Annotated[
    list[str] | None,
    typer.Option("--metric", metavar="MEASURE", help="Only this, such as wer or 'first_audible_ms: p95'; repeatable."),
]
MattersOption = Annotated[
    list[str] | None,
    typer.Option(
        "--matters",
        metavar="SIZE",
        help="The smallest difference that matters: 10% for all, or METRIC=VALUE; default: 5 %.",
    ),
]
AllowOption = Annotated[
    list[str] | None,
    typer.Option("--allow", metavar="CONDITION", help="What is meant to differ, such as model, or all; repeatable."),
]


def compare(
    runs: Annotated[list[Path], typer.Argument(metavar="A B [C...]", help="Run folders; the first is the base.")],
    metric: MetricOption = None,
    matters: MattersOption = None,
    allow: AllowOption = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Write compare.html, compare.md and compare.json here.")
    ] = None,
) -> int:
    """Compare stored runs: differences with intervals, and what would have been seen."""
    from bench.report.compare.comparison import MOST_RUNS
    from bench.report.compare.comparison import compare as against_the_first
    from bench.report.compare.matters import parse_matters
    from bench.report.compare.measures import measures
    from bench.report.compare.text import render_text
    from bench.report.compare.write import write_comparison
    from bench.store.reader import read_run

    if not 2 <= len(runs) <= MOST_RUNS:
        raise BenchError(
            f"found {len(runs)} run folder{'' if len(runs) == 1 else 's'}; allowed: 2 to {MOST_RUNS}",
            hint="bench compare BASE NEW",
        )
    asked, sizes = measures(readable(metric or [])), parse_matters(readable(matters or []))
    found = against_the_first(
        [read_run(folder) for folder in runs], asked, sizes, allow=readable(allow or []), named=bool(metric)
    )
    written = write_comparison(found, out) if out is not None else []
    say(render_text(found, written, terminal_width()))
    seen = any(row.value is not None for pair in found.pairs for row in pair.rows)
    return int(ExitCode.PASS if seen else ExitCode.NO_DATA)
