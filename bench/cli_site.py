"""`bench site`: a static site of model cards, boards and verdicts, from stored runs.

In: words on a command line; out: an exit code. As in `cli`, nothing heavy is imported at the top.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.errors import ExitCode
from bench.terminal import say


def site(
    reports: Annotated[Path, typer.Argument(metavar="REPORTS", help="The folder in which run folders lie.")] = Path(
        "reports"
    ),
    out: Annotated[Path, typer.Option("--out", metavar="SITE", help="Where to write it.")] = Path("site"),
    config: Annotated[
        Path | None, typer.Option("--config", metavar="FILE", help="Title, address, and the typical conversation.")
    ] = None,
    copy: Annotated[
        bool, typer.Option("--copy", help="Copy reports and rows into the site, so that it can be moved and published.")
    ] = False,
) -> int:
    """Write a static site from stored runs: no server, no network."""
    from bench.report.phrases import amount
    from bench.site.build import build
    from bench.site.config import load_config
    from bench.site.history import read_history

    settings = load_config(config)
    built = build(reports, read_history(reports), out, settings, copy=copy)
    of = f"{amount(built.runs, 'run')} and {amount(built.targets, 'target')}"
    say(f"wrote {out / 'index.html'}: {built.pages:,} files of {of}")
    if built.regressions:
        what = "a regression, not recovered from one, or an outage"
        say(f"the newest run of {amount(built.regressions, 'target')} is {what}")
    for name, why in built.unread.items():
        say(f"not read: {name}: {why}")
    return int(ExitCode.PASS)
