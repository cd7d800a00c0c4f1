"""From the timeline of a call to one row per turn: the only place where a turn's numbers are made.

In: a `Timeline`, the facts of one turn, a wall-clock anchor, price books. Out: a `TurnRecord`.
Trap: zero of every latency is the acoustic end of the caller's speech on the media clock (`speech_end_ns`), not the
end of the file, not the moment a frame was sent, not what the server believes. A latency may be negative (`early`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from bench.facts.signals import (
    AudioDelta,
    InputCommitted,
    InputTranscript,
    InputTranscriptFailed,
    ResponseStarted,
    SessionCreated,
    SpeechStopped,
    TextDelta,
    TranscriptionUsage,
    Usage,
)
from bench.facts.timeline import Entry, Timeline, TurnFacts
from bench.measure.outcome import judge, turn_ended
from bench.measure.playout import NS_PER_MS, heard_at_ns, play_out, underrun_ms
from bench.measure.records import TurnRecord, WallAnchor
from bench.measure.replies import Reply, add_usage, answer_of, collect_replies
from bench.measure.sessions import measure_session
from bench.measure.transcript import Heard, heard_in
from bench.measure.wer import WordScore, score_words
from bench.pricing.book import Books, find_rates, find_transcription, why_unpriced
from bench.pricing.price import Cost, price_turn

_REACTIONS = (SpeechStopped, InputCommitted, ResponseStarted, TextDelta, AudioDelta)

__all__ = ["WallAnchor", "measure_session", "measure_turn", "turn_ended"]


@dataclass(frozen=True, slots=True)
class _Latencies:
    endpoint_ms: float | None
    ttft_ms: float | None
    first_audio_ms: float | None
    first_audible_ms: float | None
    leading_silence_ms: float | None
    commit_to_first_audio_ms: float | None
    response_created_ms: float | None
    response_done_ms: float | None
    reply_heard_ms: float | None
    tool_ms: float | None


@dataclass(frozen=True, slots=True)
class _Delivery:
    text_deltas: int
    audio_deltas: int
    reply_audio_ms: float | None
    text_tokens_per_s: float | None
    audio_tokens_per_s: float | None
    audio_rtf: float | None
    stalls: int | None
    stall_ms: float | None
    longest_stall_ms: float | None
    underrun_ms: float | None


def measure_turn(
    timeline: Timeline,
    turn: TurnFacts,
    *,
    wall_anchor: WallAnchor,
    book: Books = None,
) -> TurnRecord:
    """Every column of `turn` that its timeline can support; what was not measured is None.

    A transcription that came after its bound is left out, so that a row is the same whenever it is computed.
    """
    audio_expected, transcription_model = timeline.audio_expected, timeline.transcription_model
    entries = _in_time(timeline, turn)
    replies = collect_replies(entries)
    answer = answer_of(replies, speech_end_ns=turn.speech_end_ns, audio_expected=audio_expected)
    outcome = judge(timeline, turn, entries, replies, answer, audio_expected=audio_expected)
    latencies = _latencies(timeline, turn, entries, replies, answer)
    delivery = _delivery(timeline, answer)
    heard = heard_in(entries, turn, expected=timeline.transcription_expected)
    score = score_words(turn.reference, heard.text, turn.language)
    usage = add_usage(replies)
    cost = _cost(timeline, replies, usage, heard, book, transcription_model)
    record = _identity(timeline, turn, wall_anchor)
    record.status = outcome.status
    record.error_kind = outcome.error_kind
    record.error_code = outcome.error_code
    record.error_message = outcome.error_message
    record.close_code = outcome.close_code
    record.stage = outcome.stage
    record.responses = len(replies)
    record.reply_text = answer.wording if answer is not None else None
    _copy(latencies, record)
    _copy(delivery, record)
    _put_words(record, turn, heard, score)
    _put_usage(record, usage, heard.usage, transcription_model if timeline.transcription_expected else None)
    _put_cost(record, cost)
    record.frames = turn.frames
    record.send_late_ms = max(turn.frame_late_us) / 1000 if turn.frame_late_us else None
    record.decisive_late_ms = _decisive_late_ms(timeline, turn, entries)
    record.client_late = _client_late(timeline, record)
    lags = [entry.read_ns - entry.signal.at_ns for entry in entries]
    record.recv_lag_ms = max(lags) / NS_PER_MS if lags else None
    return record


def _decisive_late_ms(timeline: Timeline, turn: TurnFacts, entries: Sequence[Entry]) -> float | None:
    """How late the frames were that carried the end of speech, and those after it until the server reacted.

    A server cannot react to what it has not been sent: the lateness of these frames, and of no others, is part of
    every latency of the turn.
    """
    if not turn.frame_late_us or timeline.frame_ms is None:
        return None
    frame_ns = timeline.frame_ms * NS_PER_MS
    first = int((turn.speech_end_ns - turn.t0_ns - 1) // frame_ns)
    reactions = [
        entry.signal.at_ns
        for entry in entries
        if isinstance(entry.signal, _REACTIONS) and entry.signal.at_ns >= turn.speech_end_ns
    ]
    last = int((min(reactions) - turn.t0_ns) // frame_ns) if reactions else len(turn.frame_late_us)
    decisive = turn.frame_late_us[max(0, first) : max(first + 1, last)]
    return max(decisive) / 1000 if decisive else None


def _client_late(timeline: Timeline, record: TurnRecord) -> bool:
    """Whether the harness itself, by sending late or by stamping late, moved this turn's numbers beyond the bound."""
    bound_ms = timeline.client_late_ms
    if bound_ms is None:
        return False
    if record.decisive_late_ms is not None and record.decisive_late_ms > bound_ms:
        return True
    unstamped = not timeline.connection.kernel_stamps
    return unstamped and record.recv_lag_ms is not None and record.recv_lag_ms > bound_ms


def _in_time(timeline: Timeline, turn: TurnFacts) -> list[Entry]:
    """The turn's entries without transcriptions that came after the row was due."""
    entries = timeline.of_turn(turn.index)
    if timeline.transcription_bound_ms is None or turn.ended_ns is None:
        return entries
    due_ns = turn.ended_ns + round(timeline.transcription_bound_ms * NS_PER_MS)
    late = (InputTranscript, InputTranscriptFailed)
    return [entry for entry in entries if entry.read_ns <= due_ns or not isinstance(entry.signal, late)]


def _identity(timeline: Timeline, turn: TurnFacts, anchor: WallAnchor) -> TurnRecord:
    """A row that says only whose turn it is; `status` is set by the caller."""
    labels = timeline.labels
    return TurnRecord(
        run_id=labels.run_id,
        worker=labels.worker,
        session_id=labels.session_id,
        session_index=labels.session_index,
        caller=labels.caller,
        turn=turn.index,
        step=turn.step,
        scenario=labels.scenario,
        phase=turn.phase,
        warmup=turn.warmup,
        provider=labels.provider,
        model=labels.model or server_model(timeline),
        dialect=labels.dialect,
        transport=labels.transport,
        fixture=turn.fixture,
        language=turn.language,
        accent=turn.accent,
        voice=turn.voice,
        condition=turn.condition,
        open_sessions=turn.open_sessions,
        talking_sessions=turn.talking_sessions,
        manual=timeline.manual,
        started_at=anchor.wall(turn.t0_ns),
        ended_at=None if turn.ended_ns is None else anchor.wall(turn.ended_ns),
        speech_ms=(turn.speech_end_ns - turn.speech_start_ns) / NS_PER_MS,
        status="no_reply",
        reference=turn.reference,
    )


def _latencies(
    timeline: Timeline, turn: TurnFacts, entries: Sequence[Entry], replies: Sequence[Reply], answer: Reply | None
) -> _Latencies:
    def since_speech(at_ns: int | None) -> float | None:
        return None if at_ns is None else (at_ns - turn.speech_end_ns) / NS_PER_MS

    first_audio_ns = answer.audio[0].at_ns if answer is not None and answer.audio else None
    audible_ns = _audible_ns(answer, timeline.output_rate_hz)
    heard_ns = None
    if answer is not None and answer.audio:
        playout = play_out(answer.arrivals, rate_hz=timeline.output_rate_hz, buffer_ms=timeline.jitter_buffer_ms)
        heard_ns = playout.end_ns
    commit_ns = turn.commit_ns if turn.commit_ns is not None else turn.response_request_ns
    tool_ns = next((call.at_ns for reply in replies for call in reply.tools), None)
    return _Latencies(
        endpoint_ms=None if timeline.manual else since_speech(_endpoint_ns(turn, entries)),
        ttft_ms=since_speech(answer.text[0].at_ns if answer is not None and answer.text else None),
        first_audio_ms=since_speech(first_audio_ns),
        first_audible_ms=since_speech(audible_ns),
        leading_silence_ms=_between_ms(first_audio_ns, audible_ns),
        commit_to_first_audio_ms=_between_ms(commit_ns, first_audio_ns) if timeline.manual else None,
        response_created_ms=since_speech(answer.started_ns if answer is not None else None),
        response_done_ms=since_speech(answer.ended.at_ns if answer is not None and answer.ended else None),
        reply_heard_ms=since_speech(heard_ns),
        tool_ms=since_speech(tool_ns),
    )


def _endpoint_ns(turn: TurnFacts, entries: Sequence[Entry]) -> int | None:
    """The first verdict "the turn is over" after the caller ended; else the last before it (a split utterance)."""
    stops = [entry.signal.at_ns for entry in entries if isinstance(entry.signal, SpeechStopped)]
    after = [at_ns for at_ns in stops if at_ns >= turn.speech_end_ns]
    if after:
        return min(after)
    return max(stops) if stops else None


def _audible_ns(answer: Reply | None, rate_hz: int) -> int | None:
    if answer is None or answer.onset is None or answer.onset.sample < 0:
        return None
    return heard_at_ns(answer.arrivals, answer.onset.sample, rate_hz)


def _between_ms(start_ns: int | None, end_ns: int | None) -> float | None:
    return None if start_ns is None or end_ns is None else (end_ns - start_ns) / NS_PER_MS


def _delivery(timeline: Timeline, answer: Reply | None) -> _Delivery:
    if answer is None:
        return _Delivery(0, 0, None, None, None, None, None, None, None, None)
    rate_hz = timeline.output_rate_hz
    arrivals = answer.arrivals
    playout = play_out(arrivals, rate_hz=rate_hz, buffer_ms=timeline.jitter_buffer_ms) if arrivals else None
    usage = answer.usage
    return _Delivery(
        text_deltas=len(answer.text),
        audio_deltas=len(answer.audio),
        reply_audio_ms=answer.samples / rate_hz * 1000 if arrivals else None,
        text_tokens_per_s=_per_second(usage.out_text_tokens if usage else None, answer.text),
        audio_tokens_per_s=_per_second(usage.out_audio_tokens if usage else None, answer.audio),
        audio_rtf=_per_second(answer.samples / rate_hz, answer.audio),
        stalls=len(playout.stalls) if playout else None,
        stall_ms=playout.stall_ms if playout else None,
        longest_stall_ms=playout.longest_stall_ms if playout else None,
        underrun_ms=underrun_ms(arrivals, rate_hz),
    )


def _per_second(amount: float | None, deltas: Sequence[TextDelta] | Sequence[AudioDelta]) -> float | None:
    """`amount` over the time from the first to the last delta; None without an amount or without such a time."""
    if not amount or len(deltas) < 2 or deltas[-1].at_ns <= deltas[0].at_ns:
        return None
    return amount * 1e9 / (deltas[-1].at_ns - deltas[0].at_ns)


def _cost(
    timeline: Timeline,
    replies: Sequence[Reply],
    usage: Usage | None,
    heard: Heard,
    book: Books,
    transcription_model: str | None,
) -> Cost:
    """The price of the turn; null as soon as something that was delivered has no usage."""
    asked, said = timeline.labels.model, server_model(timeline)
    model = asked if find_rates(asked, book) is not None or said is None else said
    rates = find_rates(model, book)
    cost = price_turn(
        usage,
        heard.usage if not heard.unbilled_items else None,
        rates,
        find_transcription(model, transcription_model, book),
        transcribed=heard.transcribed_items > 0 or heard.error == "timeout",
    )
    notes = list(cost.notes)
    if rates is None and (reason := why_unpriced(asked or said, book)) is not None:
        notes[0] = reason
    silent = sum(reply.usage is None and reply.first_output_ns is not None for reply in replies)
    if silent and usage is not None:
        notes.append(f"{silent} of {len(replies)} responses came without usage")
        cost = replace(cost, total_usd=None)
    return replace(cost, notes=tuple(notes))


def server_model(timeline: Timeline) -> str | None:
    """The model as the server names it, which may differ from what was asked for (deployments have own names)."""
    for entry in timeline.entries:
        if isinstance(entry.signal, SessionCreated) and entry.signal.model:
            return entry.signal.model
    return None


def _copy(columns: _Latencies | _Delivery, record: TurnRecord) -> None:
    """Columns of the same name; a name that the record lacks is a bug and raises."""
    for name in columns.__slots__:
        setattr(record, name, getattr(columns, name))


def _put_words(record: TurnRecord, turn: TurnFacts, heard: Heard, score: WordScore | None) -> None:
    record.hypothesis = heard.text
    record.transcription_error = heard.error
    record.transcription_ms = _between_ms(turn.speech_end_ns, heard.final_ns)
    if score is None:
        return
    record.wer, record.wer_raw, record.cer = score.wer, score.wer_raw, score.cer
    record.hits, record.substitutions = score.hits, score.substitutions
    record.deletions, record.insertions = score.deletions, score.insertions
    record.char_errors, record.reference_chars = score.char_errors, score.reference_chars
    record.normaliser = f"{score.normaliser} {score.normaliser_version}"


def _put_usage(
    record: TurnRecord, usage: Usage | None, spoken: TranscriptionUsage | None, transcription_model: str | None
) -> None:
    record.transcription_model = transcription_model
    if usage is not None:
        record.in_text, record.in_audio, record.in_image = (
            usage.in_text_tokens,
            usage.in_audio_tokens,
            usage.in_image_tokens,
        )
        record.in_cached_text = usage.in_cached_text_tokens
        record.in_cached_audio = usage.in_cached_audio_tokens
        record.in_cached_image = usage.in_cached_image_tokens
        record.out_text, record.out_audio = usage.out_text_tokens, usage.out_audio_tokens
    if spoken is not None:
        record.transcription_seconds = spoken.seconds
        record.transcription_in_text = spoken.in_text_tokens
        record.transcription_in_audio = spoken.in_audio_tokens
        record.transcription_out_text = spoken.out_text_tokens


def _put_cost(record: TurnRecord, cost: Cost) -> None:
    record.cost_usd = cost.total_usd
    record.cost_partial_usd = cost.known_usd if cost.total_usd is None else None
    record.cost_input_usd = cost.input_usd
    record.cost_cached_usd = cost.cached_usd
    record.cost_output_usd = cost.output_usd
    record.cost_transcription_usd = cost.transcription_usd
    record.cost_note = "; ".join(cost.notes) or None
