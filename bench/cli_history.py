"""`bench history`: the runs that are stored, which of them may go, and all of them in one file.

In: words on a command line; out: an exit code. As in `cli`, nothing heavy is imported at the top.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.errors import BenchError, ExitCode
from bench.terminal import readable, say, terminal_width

if TYPE_CHECKING:
    from bench.site.history import History

history_app = typer.Typer(help="List, prune and export the runs that are stored.", no_args_is_help=True)

ReportsArgument = Annotated[Path, typer.Argument(metavar="REPORTS", help="The folder in which run folders lie.")]
ScenarioOption = Annotated[
    str | None, typer.Option("--scenario", metavar="NAME", help="Only runs of the scenario of this name.")
]
DEFAULT_REPORTS = Path("reports")


def _read(reports: Path, scenario: str | None) -> History:
    from bench.site.history import read_history

    found = read_history(reports)
    if scenario is not None:
        name = readable([scenario])[0]
        known = sorted({run.manifest.scenario_name for run in found.runs})
        if name not in known:
            raise BenchError(f"--scenario '{name}': no such runs in {reports}; found: {', '.join(known) or 'none'}")
        found.runs = [run for run in found.runs if run.manifest.scenario_name == name]
    return found


@history_app.command("list")
def history_list(reports: ReportsArgument = DEFAULT_REPORTS, scenario: ScenarioOption = None) -> int:
    """List the runs of a folder, oldest first."""
    from bench.site.history_text import render_history

    found = _read(reports, scenario)
    say(render_history(found.runs, found.unreadable, terminal_width()))
    return int(ExitCode.PASS)


@history_app.command("prune")
def history_prune(
    reports: ReportsArgument = DEFAULT_REPORTS,
    older_than: Annotated[
        str | None, typer.Option("--older-than", metavar="AGE", help="Remove runs older than this, such as 90d or 26w.")
    ] = None,
    keep: Annotated[
        int | None, typer.Option("--keep", metavar="N", min=0, help="Keep the newest N of each scenario in any case.")
    ] = None,
    scenario: ScenarioOption = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Remove them; without it they are only listed.")] = False,
) -> int:
    """Remove old runs: those that are older than --older-than and not among the newest --keep of their scenario."""
    from datetime import UTC, datetime

    from bench.site.history import remove, size_bytes, to_prune
    from bench.site.history_text import megabytes, render_history

    if older_than is None and keep is None:
        raise BenchError("nothing says what may go", hint="--older-than 90d, --keep 30, or both")
    found = _read(reports, scenario)
    days = None if older_than is None else _days(older_than)
    chosen = to_prune(found.runs, datetime.now(UTC), older_than_days=days, keep=keep)
    size = megabytes(sum(size_bytes(run.folder) for run in chosen))
    say(render_history(chosen, {}, terminal_width()))
    if not yes:
        say(f"{len(chosen)} of {len(found.runs)} runs would be removed ({size}); add --yes to remove them")
        return int(ExitCode.PASS)
    kept: list[BenchError] = []
    freed = 0
    for run in chosen:
        taken = size_bytes(run.folder)
        try:
            remove(run)
            freed += taken
        except BenchError as error:
            kept.append(error)
    say(f"{len(chosen) - len(kept)} of {len(found.runs)} runs removed ({megabytes(freed)})")
    if kept:
        raise BenchError("; ".join(error.message for error in kept), hint=kept[0].hint)
    return int(ExitCode.PASS)


@history_app.command("export")
def history_export(
    reports: ReportsArgument = DEFAULT_REPORTS,
    out: Annotated[
        Path, typer.Option("--out", metavar="FILE", help="A .parquet or .csv file; default: history.parquet.")
    ] = Path("history.parquet"),
    what: Annotated[
        str, typer.Option("--rows", metavar="WHAT", help="runs (figures of each run and target), turns or sessions.")
    ] = "runs",
    scenario: ScenarioOption = None,
) -> int:
    """Write all runs into one Parquet or CSV file."""
    from bench.report.phrases import amount
    from bench.site.collect import collect
    from bench.site.export import WHATS, all_rows, figures_table, measures_in, schema_for, write_tables

    if what not in WHATS:
        raise BenchError(f"--rows '{what}'; allowed: {', '.join(WHATS)}")
    found = _read(reports, scenario)
    unread = dict(found.unreadable)
    if what == "runs":
        collected = collect(found)
        unread = collected.unread
        gates = {run.folder.name: run.gate for run in found.runs}
        pairs = [(run, gates.get(run.folder)) for run in collected.runs]
        rows = write_tables(out, [figures_table(pairs, measures_in(collected.runs))])
    else:
        rows = write_tables(out, all_rows(found.runs, what, unread), schema_for(what))
    read = sum(run.folder.name not in unread for run in found.runs)
    say(f"wrote {out}: {amount(rows, 'row')} of {amount(read, 'run')}")
    for name, why in unread.items():
        say(f"not read: {name}: {why}")
    return int(ExitCode.PASS)


_AGE = re.compile(r"(\d{1,6})\s*([dwh])")
_DAYS = {"d": 1.0, "w": 7.0, "h": 1 / 24}


def _days(text: str) -> float:
    match = _AGE.fullmatch(text.strip())
    if match is None:
        raise BenchError(f"--older-than '{text}': allowed: a number of days, weeks or hours", hint="90d, 26w, 36h")
    return int(match[1]) * _DAYS[match[2]]
