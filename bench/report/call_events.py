"""One call as it happened: what the caller did and what the server sent, in order, with the times of its rows.

In: a `Timeline`. Out: `CallEvent`s. The text deltas of a response are one line, and so are its audio deltas, until
something else happens in between: a reply would be hundreds of lines.
Trap: a time since the end of speech is that of the turn to which an event belongs, which is not always the last one
that was spoken; an event of the call alone has none.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

from bench.facts.failure import Failure
from bench.facts.signals import AudioDelta, InputTranscript, Onset, Signal, TextDelta
from bench.facts.timeline import Entry, Timeline

SHOWN_CHARACTERS = 400
HIDDEN = frozenset({"at_ns", "encoded", "wire_bytes", "response_id", "item_id", "call_id", "event_id"})


@dataclass(frozen=True, slots=True)
class CallEvent:
    """`at_ms` is since the call was due, `since_speech_ms` since the end of the caller's speech in its turn."""

    at_ms: float
    since_speech_ms: float | None
    turn: int | None
    response: int | None
    by: str
    """`caller` or `server`."""
    what: str
    detail: str = ""
    until_ms: float | None = None
    """When the last of several that are one line came, since the call was due."""


def call_events(timeline: Timeline, turn: int | None = None) -> list[CallEvent]:
    """Everything in the order of its time; with `turn`, what belongs to that turn (counted from 0) alone."""
    zero = timeline.connection.intended_ns
    found = [*_own(timeline, zero), *_received(timeline, zero)]
    kept = [each for each in found if turn is None or each.turn == turn]
    return sorted(kept, key=lambda each: each.at_ms)


def _own(timeline: Timeline, zero: int) -> Iterator[CallEvent]:
    """What the caller did, and how the call came up and ended."""
    link = timeline.connection
    stages = ((f"{name} done", at_ns) for name, at_ns in link.stages.items())
    for name, at_ns in (("began to connect", link.started_ns), *stages, ("connected", link.open_ns)):
        if at_ns is not None:
            yield _act(zero, at_ns, name)
    for turn in timeline.turns:
        said = f"{turn.fixture}: {turn.reference}"
        yield _act(zero, turn.speech_start_ns, "speech begins", said, turn.index)
        yield _act(zero, turn.speech_end_ns, "speech ends", "zero of this turn's latencies", turn.index, 0.0)
        for name, at in (("commits", turn.commit_ns), ("asks for a response", turn.response_request_ns)):
            if at is not None:
                yield _act(zero, at, name, "", turn.index, (at - turn.speech_end_ns) / 1e6)
        if turn.ended_ns is not None:
            why = _failure(turn.failure) or turn.end or ""
            yield _act(zero, turn.ended_ns, "turn is over", why, turn.index, (turn.ended_ns - turn.speech_end_ns) / 1e6)
    for cut in timeline.cuts:
        yield _act(zero, cut.at_ns, "stops listening to the reply", cut.by)
    for gap in timeline.gaps:
        yield _act(zero, gap.start_ns, "this process stood still", f"{gap.length_ns / 1e6:,.0f} ms")
    if link.closed_ns is not None:
        code = "" if timeline.close_code is None else f"close code {timeline.close_code} {timeline.close_reason or ''}"
        yield _act(
            zero, link.closed_ns, "connection closed", "; ".join(filter(None, (_failure(timeline.failure), code)))
        )


def _act(
    zero: int, at_ns: int, what: str, detail: str = "", turn: int | None = None, since: float | None = None
) -> CallEvent:
    return CallEvent((at_ns - zero) / 1e6, since, turn, None, "caller", what, detail)


def _failure(found: Failure | None) -> str:
    if found is None:
        return ""
    status = "" if found.http_status is None else f" (HTTP {found.http_status})"
    return f"{found.error_kind}{status}: {found.message or found.error_code or ''}"


def _received(timeline: Timeline, zero: int) -> Iterator[CallEvent]:
    ends = {turn.index: turn.speech_end_ns for turn in timeline.turns}
    open_groups: dict[tuple[type[Signal], int | None], list[Entry]] = {}
    for entry in timeline.entries:
        signal = entry.signal
        if _is_part(signal):
            open_groups.setdefault((type(signal), entry.response), []).append(entry)
            continue
        yield _event(timeline, [entry], zero, ends)
        if not isinstance(signal, Onset):
            yield from (_event(timeline, group, zero, ends) for group in open_groups.values())
            open_groups.clear()
    yield from (_event(timeline, group, zero, ends) for group in open_groups.values())


def _is_part(signal: Signal) -> bool:
    return isinstance(signal, (AudioDelta, TextDelta)) or (isinstance(signal, InputTranscript) and not signal.final)


def _event(timeline: Timeline, group: list[Entry], zero: int, ends: dict[int, int]) -> CallEvent:
    first, last = group[0], group[-1]
    end = ends.get(first.turn) if first.turn is not None else None
    return CallEvent(
        (first.signal.at_ns - zero) / 1e6,
        None if end is None else (first.signal.at_ns - end) / 1e6,
        first.turn,
        first.response,
        "server",
        first.signal.kind.replace("_", " ") + (f" x {len(group)}" if len(group) > 1 else ""),
        _detail([entry.signal for entry in group], timeline.output_rate_hz),
        (last.signal.at_ns - zero) / 1e6 if len(group) > 1 else None,
    )


def _detail(signals: list[Signal], rate_hz: int) -> str:
    audio = [signal for signal in signals if isinstance(signal, AudioDelta)]
    if audio:
        return f"{sum(each.samples for each in audio) * 1000 / rate_hz:,.0f} ms of audio"
    texts = [signal.text for signal in signals if isinstance(signal, (TextDelta, InputTranscript))]
    if texts and len(texts) > 1:
        return "".join(texts)[:SHOWN_CHARACTERS]
    said = (f"{name} {value}" for name, value in _values(signals[0]))
    return ", ".join(said)[:SHOWN_CHARACTERS]


def _values(of: Any) -> Iterator[tuple[str, str]]:
    """The fields that say something, without ids and stamps."""
    for field in fields(of):
        value = getattr(of, field.name)
        if field.name in HIDDEN or value is None or value == () or value is False:
            continue
        if hasattr(value, "__dataclass_fields__"):
            yield field.name, "(" + ", ".join(f"{name} {inner}" for name, inner in _values(value)) + ")"
        else:
            yield field.name, str(value)
