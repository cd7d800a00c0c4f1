"""What a run measured of a conversation's turn taking, against what the server did.

In: a stored run, its timelines, and the truth logs. Out: tables of measured and true values, in the manner of
`bench.calibrate.truth`. The oracle is its own: it knows the instants at which events were written, and the acts of the
caller from the timeline. Trap: a value that only one side has is kept, so that whoever reads the table sees it.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Iterator, Mapping
from typing import Any

import pandas as pd

from bench.calibrate.sent import SentResponse, TrueSession, responses_of
from bench.facts.timeline import Timeline, TurnFacts
from bench.store.reader import Run

NS_PER_MS = 1e6
NEAR_NS = 500 * NS_PER_MS
"""How far the server's own onset of a sound may be from the annotated one: it goes by level and by arrival."""
BARGE_INS = ("barge_in_stop_ms", "barge_in_seen_ms", "discarded_audio_ms", "talk_over_ms")


def check_greetings(run: Run, sessions: Mapping[str, TrueSession], *, rate_hz: int = 24_000) -> pd.DataFrame:
    """One row per call: `greeting_ms`, `greeting_ms_true` and their difference `greeting_ms_error`; NaN for none."""
    rows = []
    for call in run.sessions.to_dict("records"):
        truth = sessions.get(str(call["server_session_id"]))
        true = math.nan if truth is None else _true_greeting_ms(truth, rate_hz)
        measured = float(call["greeting_ms"])
        rows.append(
            {
                "session_id": call["session_id"],
                "matched": truth is not None,
                "greeting_ms": measured,
                "greeting_ms_true": true,
                "greeting_ms_error": measured - true,
            }
        )
    return pd.DataFrame(rows)


def _true_greeting_ms(session: TrueSession, rate_hz: int) -> float:
    """From the write of `session.updated` to the first audible sample of a response before any audio was taken in."""
    ready_ns: int | None = None
    before: list[Mapping[str, Any]] = []
    for event in session.events:
        if event["type"] == "input_audio_buffer.committed":
            break
        if event["type"] == "session.updated" and ready_ns is None:
            ready_ns = event["at_ns"]
        before.append(event)
    found = responses_of(before, session.events)
    audible_ns = found[0].audible_ns(rate_hz) if found else None
    return math.nan if audible_ns is None or ready_ns is None else (audible_ns - ready_ns) / NS_PER_MS


def check_barge_ins(run: Run, timelines: Iterable[Timeline], sessions: Mapping[str, TrueSession]) -> pd.DataFrame:
    """One row per turn that cut into a reply: each of `BARGE_INS` as measured, `<name>_true` and `<name>_error`.

    `matched`: the server says that this turn was spoken into a reply.
    """
    rows = []
    for timeline, turn, row, truth in _turns(run, timelines, sessions):
        if row["barge_in"] is pd.NA or not row["barge_in"]:
            continue
        true = None if truth is None else _true_barge_in(timeline, turn, truth)
        found: dict[str, Any] = {
            "session_id": timeline.labels.session_id,
            "turn": turn.index,
            "matched": true is not None,
        }
        for key in BARGE_INS:
            known = math.nan if true is None else true[key]
            value = float(row[key])
            found |= {key: value, f"{key}_true": known, f"{key}_error": value - known}
        rows.append(found)
    return pd.DataFrame(rows)


def _turns(
    run: Run, timelines: Iterable[Timeline], sessions: Mapping[str, TrueSession]
) -> Iterator[tuple[Timeline, TurnFacts, Mapping[Hashable, Any], TrueSession | None]]:
    """Every turn that has a row, with that row, and the server's own account of its call where there is one."""
    servers = dict(zip(run.sessions["session_id"], run.sessions["server_session_id"], strict=True))
    measured = {(row["session_id"], row["turn"]): row for row in run.turns.to_dict("records")}
    for timeline in timelines:
        name = timeline.labels.session_id
        for turn in timeline.turns:
            row = measured.get((name, turn.index))
            if row is not None:
                yield timeline, turn, row, sessions.get(str(servers.get(name)))


def _true_barge_in(timeline: Timeline, turn: TurnFacts, session: TrueSession) -> dict[str, float] | None:
    """What the server did with a caller who spoke into its reply; None when it does not know of that."""
    onset_ns, rate_hz = turn.speech_start_ns, timeline.output_rate_hz
    into = _spoken_into(session, onset_ns)
    if into is None:
        return None
    name = into["response_id"]
    reply = next(each for each in responses_of(session.events, session.events) if each.response_id == name)
    later = [event for event in session.events if event["at_ns"] >= onset_ns]
    seen_ns = next((each["at_ns"] for each in later if each["type"] == "input_audio_buffer.speech_started"), math.inf)
    cancelled = reply.done is not None and reply.status == "cancelled"
    cancelled_ns = reply.done["at_ns"] if cancelled and reply.done is not None else math.inf
    stop_ns = onset_ns if timeline.manual else min(seen_ns, cancelled_ns)
    played = list(_played(reply, rate_hz, timeline.jitter_buffer_ms))
    heard_ns = sum(max(0.0, min(end_ns, stop_ns) - start_ns) for start_ns, end_ns in played)
    last_ns = max((min(end_ns, stop_ns) for start_ns, end_ns in played if start_ns < stop_ns), default=onset_ns)
    sent_ns = sum(event["samples"] for event in reply.audio) * 1e9 / rate_hz
    audible_ns = reply.audible_ns(rate_hz) or 0.0
    both_ns = sum(
        max(0.0, min(end_ns, stop_ns, turn.speech_end_ns) - max(start_ns, audible_ns, onset_ns))
        for start_ns, end_ns in played
    )
    return {
        "barge_in_stop_ms": max(0.0, last_ns - onset_ns) / NS_PER_MS,
        "barge_in_seen_ms": math.nan if math.isinf(seen_ns) else (seen_ns - onset_ns) / NS_PER_MS,
        "discarded_audio_ms": (sent_ns - heard_ns) / NS_PER_MS,
        "talk_over_ms": both_ns / NS_PER_MS or math.nan,
    }


def _spoken_into(session: TrueSession, onset_ns: int) -> Mapping[str, Any] | None:
    """What the server wrote of a sound that began at `onset_ns` while it spoke: the nearest one, within a bound."""
    found = [record["spoken_into"] for record in session.turns if record.get("spoken_into") is not None]
    near = min(found, key=lambda each: abs(each["onset_ns"] - onset_ns), default=None)
    return near if near is not None and abs(near["onset_ns"] - onset_ns) < NEAR_NS else None


def check_backchannels(run: Run, timelines: Iterable[Timeline], sessions: Mapping[str, TrueSession]) -> pd.DataFrame:
    """One row per turn with a backchannel in its reply: `false_barge_in` and `false_barge_in_true`.

    `matched`: the server says that it heard every one of them. A reply that had been heard out could not stop.
    """
    rows = []
    for timeline, turn, row, truth in _turns(run, timelines, sessions):
        sounds = [sound for sound in timeline.sounds if sound.turn == turn.index]
        if not sounds:
            continue
        into = [None if truth is None else _spoken_into(truth, sound.speech_start_ns) for sound in sounds]
        stopped = [
            each is not None and truth is not None and _stopped(timeline, truth, each["response_id"], each)
            for each in into
        ]
        rows.append(
            {
                "session_id": timeline.labels.session_id,
                "turn": turn.index,
                "matched": None not in into,
                "false_barge_in": bool(row["false_barge_in"]),
                "false_barge_in_true": any(stopped),
            }
        )
    return pd.DataFrame(rows)


def _stopped(timeline: Timeline, session: TrueSession, name: str, into: Mapping[str, Any]) -> bool:
    """Whether the server said that it hears the caller before the reply could be heard to its end."""
    reply = next(each for each in responses_of(session.events, session.events) if each.response_id == name)
    end_ns = max((end for _, end in _played(reply, timeline.output_rate_hz, timeline.jitter_buffer_ms)), default=0.0)
    return into["noticed_ns"] is not None and (reply.status != "completed" or into["noticed_ns"] < end_ns)


def _played(reply: SentResponse, rate_hz: int, buffer_ms: float) -> Iterator[tuple[float, float]]:
    """When a listener who fills a buffer first, and again after it ran dry, hears the reply: spans, ns."""
    start_ns, waiting_ns, until_ns = 0.0, 0.0, 0.0
    playing = False
    for event in reply.audio:
        at_ns, length_ns = float(event["at_ns"]), event["samples"] * 1e9 / rate_hz
        if playing and at_ns > until_ns:
            yield start_ns, until_ns
            playing = False
        if playing:
            until_ns += length_ns
            continue
        waiting_ns += length_ns
        if waiting_ns >= buffer_ms * NS_PER_MS:
            playing, start_ns, until_ns, waiting_ns = True, at_ns, at_ns + waiting_ns, 0.0
    if playing:
        yield start_ns, until_ns
    elif waiting_ns:
        last_ns = float(reply.audio[-1]["at_ns"])
        yield last_ns, last_ns + waiting_ns
