"""Stored calls of earlier versions, brought to the form of this one.

In: the JSON of one call. Out: a `Timeline`. Format 1 named the stages of a WebSocket in fields of their own, did not
say what kind of error an error was, and left it to the measures which response a signal belongs to. Up to format 2
the last turn was given what came after its end, though its row had been written by then.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from bench.dialects.openai_fields import error_kind
from bench.facts.attribution import Attribution
from bench.facts.timeline import Entry, Timeline, timeline_from_dict

_STAGES = {"resolved_ns": "dns", "tcp_ns": "tcp", "tls_ns": "tls", "upgraded_ns": "upgrade"}


def read_timeline(data: Mapping[str, Any]) -> Timeline:
    """The call in `data`, of any version. Raises `KeyError` or `TypeError` when it is not one."""
    version = data.get("format", 1)
    if version >= 2:
        timeline = timeline_from_dict(data)
        return timeline if version > 2 else _ended(timeline)
    connection = dict(data["connection"])
    stages = {name: connection.pop(key) for key, name in _STAGES.items()}
    connection["stages"] = {name: at_ns for name, at_ns in stages.items() if at_ns is not None}
    connection["open_ns"] = stages["upgrade"]
    entries = [_with_error_kind(entry) for entry in data["entries"]]
    timeline = timeline_from_dict({**data, "connection": connection, "entries": entries})
    timeline.entries = _numbered(timeline.entries)
    return _ended(timeline)


def _with_error_kind(entry: Mapping[str, Any]) -> dict[str, Any]:
    """`entry` as this version has it; format 1 knew one dialect, which classes errors by these two fields."""
    values = {name: value for name, value in entry.items() if name != "effective"}
    error = entry.get("error")
    if isinstance(error, Mapping):
        values["error"] = {**error, "error_kind": error_kind(error.get("type"), error.get("code"))}
    return values


def _numbered(entries: list[Entry]) -> list[Entry]:
    """`entries` with the number of their response, which format 1 told apart within a turn."""
    by_turn: dict[int | None, Attribution] = {}
    numbers: dict[tuple[int | None, int], int] = {}
    numbered = []
    for entry in entries:
        response = by_turn.setdefault(entry.turn, Attribution()).attribute(entry.signal, entry.turn).response
        if response is not None:
            response = numbers.setdefault((entry.turn, response), len(numbers))
        numbered.append(replace(entry, response=response))
    return numbered


def _ended(timeline: Timeline) -> Timeline:
    """`timeline` without what was given to turns that were over: it belongs to the call."""
    ended_ns = {turn.index: turn.ended_ns for turn in timeline.turns if turn.ended_ns is not None}
    late: dict[tuple[int | None, int | str], bool] = {}
    with_items: set[int | None] = set()
    for entry in timeline.entries:
        of = _of(entry)
        if of == "":
            continue
        after = entry.turn in ended_ns and entry.read_ns > ended_ns[entry.turn]
        is_item = entry.response is None
        late.setdefault((entry.turn, of), after and (not is_item or entry.turn in with_items))
        if is_item:
            with_items.add(entry.turn)
    timeline.entries = [
        replace(entry, turn=None) if late.get((entry.turn, _of(entry)), False) else entry for entry in timeline.entries
    ]
    return timeline


def _of(entry: Entry) -> int | str:
    """The response of an entry, or the item that it is about; a name that none has where it is neither."""
    if entry.response is not None:
        return entry.response
    return getattr(entry.signal, "item_id", None) or ""
