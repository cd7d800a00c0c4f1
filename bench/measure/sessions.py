"""From the timeline of a call and the rows of its turns to one session row.

In: a `Timeline` and its `TurnRecord`s; out: a `SessionRecord`. Trap: waits are charged from the *intended* start,
so a generator that starts calls late cannot make a server look fast; its own share is shown as `start_late_ms`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import cast

from bench.audio.playback import NS_PER_MS
from bench.facts.failure import ErrorKind, Failure
from bench.facts.signals import (
    IdleTimeout,
    Malformed,
    ServerError,
    SessionCreated,
    SessionReady,
    Signal,
    Unrecognised,
)
from bench.facts.timeline import Timeline
from bench.measure.bills import Columns, cost_of, priced_model, rest_columns, rest_of_call
from bench.measure.greetings import greeting_columns
from bench.measure.outcome import STOPPED
from bench.measure.rate_limits import limit_columns, quotas_told, retry_after_s, to_text, told_of
from bench.measure.records import SessionRecord, SessionStatus, TurnRecord, WallAnchor
from bench.measure.renewals import renewal_columns
from bench.pricing.book import NO_BOOKS, Books, Rates
from bench.pricing.price import Cost, price_minutes

MOST_EVENTS = 10
"""Kinds of events that a row names."""


def measure_session(
    timeline: Timeline, turn_records: Sequence[TurnRecord], wall_anchor: WallAnchor, *, book: Books = NO_BOOKS
) -> SessionRecord:
    """The row of one call, from those of its turns in any order: one that waits for its transcription comes late.

    `book` prices what is billed by the minute, and what belongs to no turn's row.
    """
    turn_records = sorted(turn_records, key=lambda record: record.turn)
    labels, line, failure = timeline.labels, timeline.connection, _first_cause(timeline, turn_records)
    began_ns = line.started_ns if line.started_ns is not None else line.intended_ns
    signals = [entry.signal for entry in timeline.entries]
    created = [signal for signal in signals if isinstance(signal, SessionCreated)]
    model = priced_model(timeline, book)
    rest = rest_of_call(timeline, {record.turn for record in turn_records})
    rest_cost = cost_of(timeline, model, rest.replies, rest.spoken, book)
    told = told_of(quotas_told(timeline))
    lags = [entry.read_ns - entry.signal.at_ns for entry in timeline.entries]
    return SessionRecord(
        run_id=labels.run_id,
        worker=labels.worker,
        session_id=labels.session_id,
        session_index=labels.session_index,
        caller=labels.caller,
        scenario=labels.scenario,
        phase=labels.phase,
        phase_ended=timeline.phase_ended,
        warmup=labels.warmup,
        cell=labels.cell,
        target=labels.target,
        provider=labels.provider,
        model=labels.model or next((signal.model for signal in created if signal.model), None),
        dialect=labels.dialect,
        transport=labels.transport,
        started_at=wall_anchor.wall(began_ns),
        ended_at=None if line.closed_ns is None else wall_anchor.wall(line.closed_ns),
        status=_status(timeline),
        error_kind=failure.error_kind if failure else None,
        error_code=failure.error_code if failure else None,
        error_message=failure.message if failure else None,
        close_code=failure.close_code if failure and failure.close_code is not None else timeline.close_code,
        close_reason=failure.close_reason if failure and failure.close_reason else timeline.close_reason,
        http_status=failure.http_status if failure else None,
        stage=failure.stage if failure else None,
        start_late_ms=_span_ms(line.intended_ns, line.started_ns),
        token=line.token,
        token_ms=line.stage_ms("token"),
        dns_ms=line.stage_ms("dns"),
        tcp_ms=line.stage_ms("tcp"),
        tls_ms=line.stage_ms("tls"),
        upgrade_ms=line.stage_ms("upgrade"),
        connect_ms=_span_ms(line.intended_ns, line.open_ns),
        session_ready_ms=_span_ms(line.intended_ns, line.ready_ns),
        duration_ms=_span_ms(began_ns, line.closed_ns),
        caller_audio_ms=timeline.frames_sent * timeline.frame_ms if timeline.frame_ms is not None else None,
        turns_planned=timeline.turns_planned,
        turns_ended=sum(record.stage != STOPPED for record in turn_records),
        turns_ok=sum(record.status == "ok" and record.stage != STOPPED for record in turn_records),
        server_session_id=next((signal.session_id for signal in created if signal.session_id), None),
        server_model=next((signal.model for signal in created if signal.model), None),
        kernel_stamps=line.kernel_stamps,
        peer=line.peer,
        **renewal_columns(timeline, wall_anchor),
        **greeting_columns(timeline),
        idle_timeouts=sum(isinstance(signal, IdleTimeout) for signal in signals),
        reply_audio_ms=_sum([record.reply_audio_ms for record in turn_records]),
        malformed=sum(isinstance(signal, Malformed) for signal in signals),
        unrecognised_events=_events(signals),
        session_differences=_differences(signals),
        unrecognised=sum(isinstance(signal, Unrecognised) for signal in signals),
        server_errors=sum(isinstance(signal, ServerError) and not signal.benign for signal in signals),
        dropped_signals=timeline.dropped_signals,
        **limit_columns(told),
        rate_limits=to_text(told),
        retry_after_s=retry_after_s(line.headers),
        **_cost(timeline, turn_records, rest_cost, book.rates(model)),
        **rest_columns(rest, rest_cost),
        send_late_ms=_max([record.send_late_ms for record in turn_records]),
        recv_lag_ms=max(lags) / NS_PER_MS if lags else None,
        gap_ms=_gap_ms(timeline),
    )


def _gap_ms(timeline: Timeline) -> float | None:
    """The longest gap in which the call came up, or in which it failed: its waits hold what this process lost."""
    line = timeline.connection
    late_ns = (timeline.client_late_ms or 0) * NS_PER_MS
    gaps = [gap for gap in timeline.gaps if gap.length_ns > late_ns]
    up_ns = line.ready_ns or line.open_ns or line.closed_ns
    found = [gap.length_ns for gap in gaps if up_ns is None or gap.start_ns < up_ns]
    if timeline.failure is not None:
        last_ns = timeline.turns[-1].t0_ns if timeline.turns else line.intended_ns
        found += [
            gap.length_ns
            for gap in gaps
            if gap.end_ns > last_ns and (line.closed_ns is None or gap.start_ns < line.closed_ns)
        ]
    return max(found, default=0) / NS_PER_MS or None


def _first_cause(timeline: Timeline, records: Sequence[TurnRecord]) -> Failure | None:
    """Why the call failed. A turn that ran into a bound names the cause behind it; the call names the same."""
    failure = timeline.failure
    if failure is None or failure.stage != "turn" or failure.error_kind != "timeout" or not records:
        return failure
    last = records[-1]
    if last.error_kind is None or last.stage != "turn":
        return failure
    return replace(
        failure, error_kind=cast("ErrorKind", last.error_kind), error_code=last.error_code, message=last.error_message
    )


def _events(signals: Sequence[Signal]) -> str | None:
    """The events that were not understood, the most frequent first: `name x count`, at most `MOST_EVENTS` of them."""
    names = Counter(signal.name for signal in signals if isinstance(signal, Unrecognised))
    return "; ".join(f"{name} x {count}" for name, count in names.most_common(MOST_EVENTS)) or None


def _differences(signals: Sequence[Signal]) -> str | None:
    ready = [signal for signal in signals if isinstance(signal, SessionReady)]
    return "; ".join(ready[-1].differences)[:1000] or None if ready else None


def _status(timeline: Timeline) -> SessionStatus:
    if timeline.failure is not None:
        return "failed"
    return "stopped" if timeline.stopped else "ok"


def _cost(timeline: Timeline, records: Sequence[TurnRecord], rest: Cost, rates: Rates | None) -> Columns:
    """The cost of the call or, where a used meter is unknown, the part that is known and what is missing.

    A turn without a response has nothing to bill and does not make the sum unknown.
    """
    if rates is not None and rates.tokens_usd_per_million is None:
        line = timeline.connection
        minutes = _span_ms(line.open_ns, line.closed_ns)
        return {"cost_usd": price_minutes(rates, None if minutes is None else minutes / 60_000)}
    known = [record.cost_usd if record.cost_usd is not None else record.cost_partial_usd for record in records]
    unknown = [record.cost_unknown for record in records] + [str(each) for each in rest.unknown]
    said = list(dict.fromkeys(part for each in unknown if each for part in each.split("; ")))
    usd = _sum([*known, rest.known_usd])
    return {
        "cost_usd": None if said else usd,
        "cost_partial_usd": usd if said else None,
        "cost_unknown": "; ".join(said) or None,
    }


def _span_ms(start_ns: int | None, end_ns: int | None) -> float | None:
    return None if start_ns is None or end_ns is None else (end_ns - start_ns) / NS_PER_MS


def _sum(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def _max(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return max(known) if known else None
