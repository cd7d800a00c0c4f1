"""How wrong the instrument is: what a run measured against what the server knows that it did.

In: a stored run (rows and timelines) and the truth logs of the server that it called, both on one machine, so that
their monotonic clocks are one. Out: a table with one row per turn (measured, true, error) and its summary.
A true latency is the instant the server wrote an event less the end of speech on the media clock; what the caller's
own lateness added is beside it (`late_ms`), never subtracted.
Trap: a turn that cannot be joined stays in the table with its reason, and a value that only one side has counts
as `one_sided`: a checker that drops what it cannot explain would prove anything.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from bench.calibrate.sent import Record, SentResponse, TrueSession, responses_of, with_results
from bench.facts.signals import SessionCreated
from bench.facts.timeline import Timeline, TurnFacts
from bench.store.reader import Run

NS_PER_MS = 1e6
LATENCIES = (
    "endpoint_ms",
    "ttft_ms",
    "first_audio_ms",
    "first_audible_ms",
    "commit_to_first_audio_ms",
    "response_done_ms",
)
COUNTS = (
    "substitutions",
    "deletions",
    "insertions",
    "in_text",
    "in_audio",
    "in_cached_text",
    "in_cached_audio",
    "out_text",
    "out_audio",
    "transcription_in_audio",
    "transcription_out_text",
)
METRICS = (*LATENCIES, *COUNTS)
QUANTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}


def check_turns(run: Run, timelines: Iterable[Timeline], sessions: Mapping[str, TrueSession]) -> pd.DataFrame:
    """One row per turn of the run, in its order.

    Columns: identity, `matched`, `reason` (why not), `status` and `true_status`, `fixture` and `true_fixture`,
    `late_ms`, and for every metric its own name (measured), `<name>_true` and `<name>_error` (measured - true).
    """
    truths: dict[tuple[str, int], dict[str, Any]] = {}
    servers = {
        row.session_id: row.server_session_id
        for row in run.sessions[["session_id", "server_session_id"]].itertuples(index=False)
    }
    for timeline in timelines:
        name = timeline.labels.session_id
        for place, turn in enumerate(timeline.turns):
            server_id = _server_id(timeline, turn) or servers.get(name)
            truth = sessions.get(server_id) if isinstance(server_id, str) else None
            following = timeline.turns[place + 1] if place + 1 < len(timeline.turns) else None
            until_ns = following.t0_ns if following is not None else None
            truths[name, turn.index] = (
                {"reason": "the server's log has no such session"}
                if truth is None
                else true_turn(timeline, turn, until_ns, truth)
            )
    rows = [_row(measured, truths) for measured in run.turns.to_dict("records")]
    return pd.DataFrame(rows, columns=_columns())


def _server_id(timeline: Timeline, turn: TurnFacts) -> str | None:
    """The session that `turn` was spoken in, by the server's name: a renewed call has several."""
    if not timeline.renewals:
        return None
    created = [
        entry.signal.session_id
        for entry in timeline.entries
        if isinstance(entry.signal, SessionCreated) and entry.signal.at_ns <= turn.t0_ns
    ]
    return created[-1] if created else None


def true_turn(timeline: Timeline, turn: TurnFacts, until_ns: int | None, session: TrueSession) -> dict[str, Any]:
    """The true values of one turn: of the events that the server sent from its first sample to the next turn's."""
    events = [event for event in session.events if turn.t0_ns <= event["at_ns"] < (until_ns or math.inf)]
    heard = [
        record
        for record in session.turns
        if turn.t0_ns <= (record["speech_end_ns"] or record["commit_ns"] or 0) < (until_ns or math.inf)
        and not record.get("silence")
        and not _is_sound(timeline, record)
    ]
    asked_ns = turn.commit_ns or math.inf if timeline.manual else turn.speech_start_ns
    asked = [event for event in events if asked_ns <= event["at_ns"] <= (turn.ended_ns or math.inf)]
    responses = responses_of(asked, session.events)
    split = any(len(record["items"]) > 1 for record in heard)
    whole_ns = next((at_ns for at_ns in _stops_ns(events) if at_ns >= turn.speech_end_ns), None) if split else None
    answer = with_results(responses, events) or _answer(
        responses, turn.speech_end_ns, audio_expected=timeline.audio_expected, whole_ns=whole_ns
    )
    truth: dict[str, Any] = {"reason": None if heard or responses else "the server heard and sent nothing in this turn"}
    truth |= _true_latencies(timeline, turn, events, answer)
    truth["status"] = _status(timeline, answer, responses, turn, split=split)
    truth["split_turn"] = split
    if heard:
        truth["fixture"] = heard[0]["fixture"]
        if heard[0]["speech_end_ns"] is not None:
            truth["late_ms"] = (heard[0]["speech_end_ns"] - turn.speech_end_ns) / NS_PER_MS
    items = {item for record in heard for item in record["items"]}
    truth |= _true_counts(heard, items, responses, session.events)
    return truth


def _is_sound(timeline: Timeline, record: Record) -> bool:
    """Whether what the server heard was a sound that the caller made while it listened."""
    into = record.get("spoken_into")
    return into is not None and any(
        sound.t0_ns <= into["onset_ns"] <= sound.utterance_end_ns for sound in timeline.sounds
    )


def _stops_ns(events: Sequence[Record]) -> list[int]:
    return [event["at_ns"] for event in events if event["type"] == "input_audio_buffer.speech_stopped"]


def _answer(
    responses: Sequence[SentResponse], speech_end_ns: int, *, audio_expected: bool, whole_ns: int | None = None
) -> SentResponse | None:
    """The response whose times are the turn's: the best by the definitions in docs/measuring.md.

    An oracle of its own: `bench.measure.replies` filters candidates, this ranks every response.
    """

    def rank(numbered: tuple[int, SentResponse]) -> tuple[int, int]:
        place, response = numbered
        promised = response.audio if audio_expected else response.words_ns is not None
        if response.status == "cancelled":
            return 4, -place
        if response.status == "completed" and promised:
            return (0 if (response.first_output_ns or 0) >= speech_end_ns else 1), place
        return (2, place) if response.first_output_ns is not None else (3, -place)

    if whole_ns is not None:  # a split turn: what began before all was taken in answers a part
        responses = [each for each in responses if (each.created_ns or 0) >= whole_ns] or responses
    return min(enumerate(responses), key=rank)[1] if responses else None


def _true_latencies(
    timeline: Timeline, turn: TurnFacts, events: Sequence[Record], answer: SentResponse | None
) -> dict[str, float | None]:
    def since_speech(at_ns: float | None) -> float | None:
        return None if at_ns is None else (at_ns - turn.speech_end_ns) / NS_PER_MS

    stops = _stops_ns(events)
    after = [at_ns for at_ns in stops if at_ns >= turn.speech_end_ns]
    endpoint_ns = min(after) if after else max(stops, default=None)
    audio_ns = answer.audio[0]["at_ns"] if answer is not None and answer.audio else None
    commit_ns = turn.commit_ns if turn.commit_ns is not None else turn.response_request_ns
    manual = timeline.manual
    return {
        "endpoint_ms": None if manual else since_speech(endpoint_ns),
        "ttft_ms": since_speech(answer.words_ns if answer is not None else None),
        "first_audio_ms": since_speech(audio_ns),
        "first_audible_ms": since_speech(answer.audible_ns(timeline.output_rate_hz) if answer is not None else None),
        "commit_to_first_audio_ms": (audio_ns - commit_ns) / NS_PER_MS
        if manual and audio_ns is not None and commit_ns is not None
        else None,
        "response_done_ms": since_speech(answer.done["at_ns"] if answer is not None and answer.done else None),
    }


def _status(
    timeline: Timeline,
    answer: SentResponse | None,
    responses: Sequence[SentResponse],
    turn: TurnFacts,
    *,
    split: bool,
) -> str:
    """What the turn's status must be, judged from what was sent; a reply that never ended is `failed`."""
    rate_hz, audio_expected = timeline.output_rate_hz, timeline.audio_expected
    status = _of_answer(answer, audio_expected=audio_expected)
    if status == "failed":
        return status
    if any(_heard_from_ns(response, rate_hz, split=split) < turn.speech_end_ns for response in responses):
        return "early"
    taken_back = (response for response in responses if response.status == "cancelled")
    if not split and any((response.created_ns or math.inf) < turn.speech_end_ns for response in taken_back):
        return "cancelled"
    if split and status == "ok" and all((each.created_ns or 0) < turn.speech_end_ns for each in responses):
        return "no_reply"
    return status


def _heard_from_ns(response: SentResponse, rate_hz: int, *, split: bool) -> float:
    """From when a reply is too soon for a caller who still speaks; never for one that was taken back unheard."""
    if not split:
        return response.first_output_ns or math.inf
    audible_ns = response.audible_ns(rate_hz) or math.inf
    taken_back = response.status == "cancelled" and response.done is not None
    return audible_ns if not taken_back or response.done is None or audible_ns < response.done["at_ns"] else math.inf


def _of_answer(answer: SentResponse | None, *, audio_expected: bool) -> str:
    if answer is None or (answer.first_output_ns is None and answer.status in (None, "completed")):
        return "no_reply"
    if answer.status is None:
        return "failed"
    if answer.status != "completed":
        return answer.status
    delivered = bool(answer.audio) if audio_expected else answer.words_ns is not None
    return "ok" if delivered else "no_reply"


def _true_counts(
    heard: Sequence[Record], items: set[str], responses: Sequence[SentResponse], events: Sequence[Record]
) -> dict[str, Any]:
    counts: dict[str, Any] = {}
    said = [
        event
        for event in events
        if event["type"].endswith("input_audio_transcription.completed") and event.get("item") in items
    ]
    expected = [record["expected"] for record in heard if record.get("expected") is not None]
    if said and expected:
        for name in ("substitutions", "deletions", "insertions"):
            counts[name] = sum(one[name] for one in expected)
    usages = [response.done["usage"] for response in responses if response.done is not None]
    billed = [usage for usage in usages if usage is not None]
    if billed:
        counts["in_text"] = sum(usage["input_token_details"]["text_tokens"] for usage in billed)
        counts["in_audio"] = sum(usage["input_token_details"]["audio_tokens"] for usage in billed)
        cached = [usage["input_token_details"]["cached_tokens_details"] for usage in billed]
        counts["in_cached_text"] = sum(one["text_tokens"] for one in cached)
        counts["in_cached_audio"] = sum(one["audio_tokens"] for one in cached)
        counts["out_text"] = sum(usage["output_token_details"]["text_tokens"] for usage in billed)
        counts["out_audio"] = sum(usage["output_token_details"]["audio_tokens"] for usage in billed)
    by_item = {event["item"]: event["usage"] for event in said if event.get("usage") is not None}
    tokens = [usage for usage in by_item.values() if usage["type"] == "tokens"]
    if tokens:
        counts["transcription_in_audio"] = sum(usage["input_token_details"]["audio_tokens"] for usage in tokens)
        counts["transcription_out_text"] = sum(usage["output_tokens"] for usage in tokens)
    return counts


def _row(measured: Mapping[Any, Any], truths: Mapping[tuple[str, int], Mapping[str, Any]]) -> dict[str, Any]:
    truth = truths.get((measured["session_id"], measured["turn"]), {"reason": "the run kept no timeline of this turn"})
    row: dict[str, Any] = {name: measured[name] for name in ("worker", "session_id", "turn", "warmup", "client_late")}
    row |= {"matched": truth["reason"] is None, "reason": truth["reason"]}
    row |= {"status": measured["status"], "true_status": truth.get("status")}
    row |= {"split_turn": measured["split_turn"], "true_split_turn": truth.get("split_turn")}
    row |= {
        "fixture": measured["fixture"],
        "true_fixture": truth.get("fixture"),
        "late_ms": _number(truth.get("late_ms")),
    }
    for name in METRICS:
        value, true = _number(measured[name]), _number(truth.get(name))
        row[name], row[f"{name}_true"], row[f"{name}_error"] = value, true, value - true
    return row


def _columns() -> list[str]:
    identity = ["worker", "session_id", "turn", "warmup", "client_late", "matched", "reason"]
    identity += ["status", "true_status", "split_turn", "true_split_turn", "fixture", "true_fixture", "late_ms"]
    return identity + [column for name in METRICS for column in (name, f"{name}_true", f"{name}_error")]


def _number(value: Any) -> float:
    """NaN is "not known"; a nullable integer arrives as `pd.NA`."""
    return math.nan if value is None or value is pd.NA else float(value)


def summarise(checked: pd.DataFrame) -> pd.DataFrame:
    """One row per metric, of |measured - true| over the matched turns.

    Columns: `metric`, `turns` (all), `unmatched`, `n` (both sides known), `one_sided` (only one is), `p50`, `p95`,
    `p99`, `max`, `bias` (mean of measured - true), `late_p99_ms` (what the caller's lateness added). NaN: no value.
    """
    matched = checked[checked["matched"].astype(bool)]
    late = matched["late_ms"].to_numpy(dtype=float)
    rows = []
    for name in METRICS:
        values, true = matched[name].to_numpy(dtype=float), matched[f"{name}_true"].to_numpy(dtype=float)
        both = ~np.isnan(values) & ~np.isnan(true)
        error = (values - true)[both]
        row: dict[str, Any] = {
            "metric": name,
            "turns": len(checked),
            "unmatched": len(checked) - len(matched),
            "n": int(both.sum()),
            "one_sided": int((np.isnan(values) != np.isnan(true)).sum()),
        }
        row |= {label: _quantile(np.abs(error), share) for label, share in QUANTILES.items()}
        row["max"] = float(np.abs(error).max()) if len(error) else math.nan
        row["bias"] = float(error.mean()) if len(error) else math.nan
        row["late_p99_ms"] = _quantile(late[~np.isnan(late)], 0.99)
        rows.append(row)
    return pd.DataFrame(rows)


def _quantile(values: np.ndarray[Any, np.dtype[np.float64]], share: float) -> float:
    return float(np.quantile(values, share)) if len(values) else math.nan
