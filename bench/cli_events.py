"""`bench events`: one call of a stored run as it happened.

In: words on a command line; out: an exit code. As in `cli`, nothing heavy is imported at the top.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.errors import BenchError, ExitCode
from bench.terminal import say

if TYPE_CHECKING:
    from bench.facts.timeline import Timeline
    from bench.report.call_events import CallEvent

LINE_WIDTH = 200


def events(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The run folder.")],
    call: Annotated[
        str, typer.Argument(metavar="CALL", help="Its id as the report names it, such as NAME/000012, or its number.")
    ],
    turn: Annotated[int | None, typer.Option("--turn", min=1, metavar="N", help="Only this turn, from 1.")] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> int:
    """Show one call of a run as it happened: what was said and sent, and when."""
    from bench.config.redactor import printable
    from bench.report.call_events import call_events
    from bench.terminal import output_width

    timeline = _timeline(run, call)
    if turn is not None and turn > len(timeline.turns):
        raise BenchError(f"--turn {turn}: the call has {len(timeline.turns)} turns")
    found = call_events(timeline, None if turn is None else turn - 1)
    if json:
        import orjson

        say("\n".join(orjson.dumps(each).decode() for each in found))
        return int(ExitCode.PASS)
    width = output_width(LINE_WIDTH)
    head = f"{'ms':>9}  {'since end':>10}  {'turn':>4}  {'resp':>4}  event"
    lines = [_line(each) for each in found]
    shown = (printable(line) if len(line) <= width else f"{printable(line)[: width - 1]}…" for line in lines)
    labels = timeline.labels
    say("\n".join([f"{labels.session_id}, {labels.dialect}, worker {labels.worker}", head, *shown]))
    return int(ExitCode.PASS)


def _line(each: CallEvent) -> str:
    since = "" if each.since_speech_ms is None else f"{each.since_speech_ms:,.1f}"
    turn, response = ("" if value is None else f"{value + 1}" for value in (each.turn, each.response))
    until = "" if each.until_ms is None else f" until {each.until_ms:,.1f}"
    arrow = ">" if each.by == "caller" else "<"
    said = f"{each.at_ms:9,.1f}  {since:>10}  {turn:>4}  {response:>4}  {arrow} {each.what}{until}"
    return f"{said}: {' '.join(each.detail.split())}" if each.detail else said


def _timeline(run: Path, call: str) -> Timeline:
    """The stored call of that id or number. Raises `BenchError`."""
    from bench.store.folder import RunFolder
    from bench.store.manifest import read_manifest
    from bench.store.reader import iter_timelines

    read_manifest(RunFolder(run))
    number = int(call) if call.isdecimal() else None
    first = last = None
    for timeline in iter_timelines(run):
        labels = timeline.labels
        if call == labels.session_id or number == labels.session_index:
            return timeline
        first, last = first or labels.session_id, labels.session_id
    stored = f"stored are {first} to {last}" if first else "no call is stored in events/"
    raise BenchError(f"{run}: no call {call!r}; {stored}", hint="sessions.parquet and the report name the calls")
