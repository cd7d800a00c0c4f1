"""Marks turns that hold words of another call, once all rows of a run lie side by side.

In: the tables of turns and calls. Out: the same with `cross_talk` as the error of those turns and of their calls, and
the other call in `cross_talk_with`.
Trap: a call knows nothing of the others, so no row is marked while the run goes on. A turn that failed already keeps
its cause.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from bench.measure.isolation import CrossTalk, SaidTurn, cross_talk

TURN_COLUMNS = ("session_id", "language", "reference", "hypothesis", "wer", "reply_text", "status")
SESSION_COLUMNS = ("session_id", "started_at", "ended_at")
MOST_WORDS = 200
_FOR_EVER = float("inf")


def words_of_others(turns: pa.Table, sessions: pa.Table) -> list[CrossTalk]:
    """Turns with words of another call, of those that did not fail; `turns` needs `TURN_COLUMNS` alone."""
    found = cross_talk(_said(turns, sessions))
    status = turns.column("status").to_pylist() if found else []
    return [each for each in found if status[each.place] != "failed"]


def marked(turns: pa.Table, sessions: pa.Table) -> tuple[pa.Table, pa.Table]:
    """Both tables with every turn marked that holds words of another call, and with the calls of those turns."""
    found = words_of_others(turns, sessions)
    if not found:
        return turns, sessions
    status = turns.column("status").to_pylist()
    by_place = {each.place: each for each in found}
    calls = turns.column("session_id").to_pylist()
    first: dict[str, CrossTalk] = {}
    answered: dict[str, int] = {}
    for each in found:
        first.setdefault(calls[each.place], each)
        answered[calls[each.place]] = answered.get(calls[each.place], 0) + (status[each.place] == "ok")
    for name, values in _columns(by_place).items():
        turns = _with(turns, name, values)
    return turns, _calls(sessions, first, answered)


def _said(turns: pa.Table, sessions: pa.Table) -> list[SaidTurn]:
    opened = {
        name: (begin, end if end is not None else _FOR_EVER)
        for name, begin, end in zip(*(sessions.column(each).to_pylist() for each in SESSION_COLUMNS), strict=True)
    }
    rows = zip(*(turns.column(each).to_pylist() for each in TURN_COLUMNS[:-1]), strict=True)
    return [
        SaidTurn(name, *opened.get(name, (0.0, _FOR_EVER)), language or "en", reference, hypothesis, wer, reply)
        for name, language, reference, hypothesis, wer, reply in rows
    ]


def _columns(found: Mapping[int, CrossTalk]) -> dict[str, dict[int, Any]]:
    """New values by column and place."""
    return {
        "status": dict.fromkeys(found, "failed"),
        "error_kind": dict.fromkeys(found, "cross_talk"),
        "error_code": {place: each.part for place, each in found.items()},
        "error_message": {place: _sentence(each) for place, each in found.items()},
        "stage": dict.fromkeys(found, "turn"),
        "cross_talk_with": {place: each.other for place, each in found.items()},
    }


def _calls(sessions: pa.Table, first: Mapping[str, CrossTalk], answered: Mapping[str, int]) -> pa.Table:
    names, status = sessions.column("session_id").to_pylist(), sessions.column("status").to_pylist()
    good = sessions.column("turns_ok").to_pylist()
    here = {place: name for place, name in enumerate(names) if name in first}
    fresh = {place: first[name] for place, name in here.items() if status[place] != "failed"}
    columns = {name: values for name, values in _columns(fresh).items() if name in sessions.column_names}
    columns["turns_ok"] = {place: max(0, (good[place] or 0) - answered[name]) for place, name in here.items()}
    for name, values in columns.items():
        sessions = _with(sessions, name, values)
    return sessions


def _with(table: pa.Table, name: str, values: Mapping[int, Any]) -> pa.Table:
    """`table` with the values of a column at some places replaced."""
    at = table.schema.get_field_index(name)
    column = table.column(at).to_pylist()
    for place, value in values.items():
        column[place] = value
    return table.set_column(at, table.schema.field(at), pa.array(column, type=table.schema.field(at).type))


def _sentence(found: CrossTalk) -> str:
    what = "the transcription is that of" if found.part == "transcript" else "the reply names what was said in"
    return f"{what} call {found.other}: {found.words[:MOST_WORDS]}"
