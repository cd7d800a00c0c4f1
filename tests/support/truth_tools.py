"""What a run measured of its tool calls, against what the server called, got and said."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from bench.calibrate.sent import TrueSession, responses_of
from bench.facts.timeline import Timeline, TurnFacts
from bench.store.reader import Run

NS_PER_MS = 1e6
TIMES = ("tool_ms", "tool_resume_ms")


def check_tools(run: Run, timelines: Iterable[Timeline], sessions: Mapping[str, TrueSession]) -> pd.DataFrame:
    """One row per turn: each of `TIMES` as measured, `<name>_true`, `<name>_error`; `calls` and `calls_true`."""
    servers = dict(zip(run.sessions["session_id"], run.sessions["server_session_id"], strict=True))
    measured = {(row["session_id"], row["turn"]): row for row in run.turns.to_dict("records")}
    rows = []
    for timeline in timelines:
        name = timeline.labels.session_id
        for place, turn in enumerate(timeline.turns):
            row = measured.get((name, turn.index))
            if row is None:
                continue
            later = timeline.turns[place + 1].t0_ns if place + 1 < len(timeline.turns) else math.inf
            true = _true(timeline, turn, later, sessions[str(servers[name])])
            called = json.loads(str(row["tools_called"])) if row["tools_called"] else []
            found: dict[str, Any] = {
                "calls": [(each["name"], each["arguments"]) for each in called],
                "calls_true": true["calls"],
                "responses": row["responses"],
                "responses_true": true["responses"],
            }
            for key in TIMES:
                found |= {key: row[key], f"{key}_true": true[key], f"{key}_error": float(row[key]) - true[key]}
            rows.append(found)
    return pd.DataFrame(rows)


def _true(timeline: Timeline, turn: TurnFacts, until_ns: float, session: TrueSession) -> dict[str, Any]:
    events = [event for event in session.events if turn.speech_end_ns <= event["at_ns"] < until_ns]
    responses = responses_of(events, session.events)
    calls = [call for response in responses for call in response.calls]
    # Sent at an instant that the caller knows; how long the server takes to read it is its own time.
    sent_ns = {use.call_id: use.sent_ns for use in timeline.tools}
    results = [(event["at_ns"], sent_ns[event["result_of"]]) for event in events if "result_of" in event]
    resume_ms, free_ns = math.nan, 0.0
    for response in responses:
        before = [own_ns for at_ns, own_ns in results if at_ns <= (response.created_ns or 0) and own_ns is not None]
        heard_ns = _audible_after(response.audio, free_ns, timeline.output_rate_hz)
        if before and heard_ns is not None:
            resume_ms = (heard_ns - max(before)) / NS_PER_MS
            break
        free_ns = _end_after(response.audio, free_ns, timeline.output_rate_hz)
    return {
        "calls": [(call["name"], call["arguments"]) for call in calls],
        "responses": len(responses),
        "tool_ms": (calls[0]["at_ns"] - turn.speech_end_ns) / NS_PER_MS if calls else math.nan,
        "tool_resume_ms": resume_ms,
    }


def _audible_after(audio: list[Any], free_ns: float, rate_hz: int) -> float | None:
    for event in audio:
        start_ns = max(float(event["at_ns"]), free_ns)
        if event["silent_samples"] < event["samples"]:
            return start_ns + event["silent_samples"] * 1e9 / rate_hz
        free_ns = start_ns + event["samples"] * 1e9 / rate_hz
    return None


def _end_after(audio: list[Any], free_ns: float, rate_hz: int) -> float:
    for event in audio:
        free_ns = max(float(event["at_ns"]), free_ns) + event["samples"] * 1e9 / rate_hz
    return free_ns
