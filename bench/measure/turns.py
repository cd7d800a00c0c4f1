"""From the timeline of a call to one row per turn: the only place where a turn's numbers are made.

In: a `Timeline`, the facts of one turn, a wall-clock anchor, price books. Out: a `TurnRecord`, made at once from groups
of columns. Trap: zero of every latency is the acoustic end of the caller's speech on the media clock (`speech_end_ns`),
not the end of the file, not the moment a frame was sent, not what the server believes. A latency may be negative.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import orjson

from bench.audio.playback import NS_PER_MS, underrun_ms
from bench.audio.speaking_rate import words_per_min
from bench.facts.acts import ToolUse
from bench.facts.signals import (
    AudioDelta,
    SpeechStopped,
    TextDelta,
    Usage,
)
from bench.facts.timeline import Entry, Timeline, TurnFacts
from bench.measure.backchannels import backchannel_columns
from bench.measure.bills import Columns, Spoken, cost_columns, cost_of, priced_model, server_model, usage_columns
from bench.measure.captions import caption_columns
from bench.measure.dead_air import dead_air_columns
from bench.measure.expectations import graded
from bench.measure.interruptions import interruption_columns
from bench.measure.lateness import decisive_late_ms, gap_ms
from bench.measure.legs import speech_columns, stage_columns
from bench.measure.listening import heard as heard_reply
from bench.measure.listening import replies_around
from bench.measure.outcome import Outcome, judge, judge_transcription
from bench.measure.rate_limits import limit_columns, quotas_known, told_of
from bench.measure.records import TurnRecord, WallAnchor
from bench.measure.renewals import renewals_before
from bench.measure.replies import Reply, add_usage, answer_of, collect_replies
from bench.measure.splits import is_split, whole_ns
from bench.measure.tool_chains import chain_of, joined, tool_columns, uses_of, with_tool_errors
from bench.measure.transcript import Heard, entries_of_row, heard_in
from bench.measure.wer import WordScore, score_words, too_long
from bench.pricing.book import NO_BOOKS, Books
from bench.pricing.price import reasoning_apart


def measure_turn(
    timeline: Timeline,
    turn: TurnFacts,
    *,
    wall_anchor: WallAnchor,
    book: Books = NO_BOOKS,
) -> TurnRecord:
    """Every column of `turn` that its timeline can support; what was not measured is None.

    A transcription that came after its bound is left out, so that a row is the same whenever it is computed.
    """
    return with_word_score(measure_but_words(timeline, turn, wall_anchor=wall_anchor, book=book))


def measure_but_words(
    timeline: Timeline,
    turn: TurnFacts,
    *,
    wall_anchor: WallAnchor,
    book: Books = NO_BOOKS,
) -> TurnRecord:
    """As `measure_turn`, without the comparison of words, which takes milliseconds and needs only the row."""
    entries = entries_of_row(timeline, turn)
    known = timeline.entries[: turn.entries_measured]
    replies = collect_replies(entries)
    cut_into = timeline.cut_into(turn)
    split = is_split(timeline, turn, entries, replies)
    uses = uses_of(timeline, turn)
    answer, parts = _answer(timeline, turn, entries, replies, uses, cut_into=cut_into, split=bool(split))
    around = replies_around(timeline, turn)
    interruption = interruption_columns(timeline, turn, entries, around)
    heard = heard_in(entries, turn, expected=timeline.transcription_expected)
    outcome = (
        judge_transcription(timeline, turn, entries, heard)
        if timeline.transcribes
        else judge(
            timeline,
            turn,
            entries,
            replies,
            answer,
            audio_expected=timeline.audio_expected,
            cut=cut_into is not None,
            split=bool(split),
            talked_over=interruption["talk_over_ms"] is not None,
        )
    )
    outcome = with_tool_errors(outcome, turn, uses)
    overdue = heard.error == "timeout" or (heard.error == "closed" and turn.transcription_cut)
    spoken = Spoken(heard.usage, heard.transcribed_items, heard.unbilled_items, overdue)
    spoken = spoken.as_told(replies)
    cost = cost_of(timeline, priced_model(timeline, book, known), replies, spoken, book)
    own_model = timeline.transcription_model if timeline.transcription_expected else None
    return TurnRecord(
        **_identity(timeline, turn, wall_anchor, timeline.labels.model or server_model(known)),
        **_of_outcome(outcome),
        **_latencies(timeline, turn, entries, replies, answer),
        **_delivery(timeline, turn, replies, answer, parts),
        **dead_air_columns(timeline, turn, parts, around),
        **tool_columns(timeline, uses, replies),
        **interruption,
        **backchannel_columns(timeline, turn),
        split_turn=split,
        **_words(turn, heard),
        **(caption_columns(turn, entries, heard) if timeline.transcribes else {}),
        **stage_columns(parts),
        **usage_columns(add_usage(replies), spoken.usage),
        **speech_columns(replies),
        **cost_columns(cost),
        **limit_columns(told_of(quotas_known(timeline, known))),
        transcription_model=spoken.model or own_model,
        **_harness(timeline, turn, entries),
    )


def answer_parts(timeline: Timeline, turn: TurnFacts) -> Sequence[Reply]:
    """The responses that `turn` was answered with: none, one, or several with tools between them."""
    entries = entries_of_row(timeline, turn)
    replies = collect_replies(entries)
    return _answer(
        timeline,
        turn,
        entries,
        replies,
        uses_of(timeline, turn),
        cut_into=timeline.cut_into(turn),
        split=bool(is_split(timeline, turn, entries, replies)),
    )[1]


def _answer(
    timeline: Timeline,
    turn: TurnFacts,
    entries: Sequence[Entry],
    replies: Sequence[Reply],
    uses: Sequence[ToolUse],
    *,
    cut_into: int | None,
    split: bool,
) -> tuple[Reply | None, Sequence[Reply]]:
    """The reply of the turn as one, and the responses that it consists of."""
    answer = next((reply for reply in replies if reply.number == cut_into), None)
    chain = chain_of(replies, uses) if answer is None else []
    if chain:
        return joined(chain), chain
    if answer is None:
        answer = answer_of(
            replies,
            speech_end_ns=turn.speech_end_ns,
            audio_expected=timeline.audio_expected,
            whole_ns=whole_ns(turn, entries) if split else None,
        )
    return answer, [answer] if answer is not None else []


def _of_outcome(outcome: Outcome) -> Columns:
    return {name: getattr(outcome, name) for name in Outcome.__slots__}


def _harness(timeline: Timeline, turn: TurnFacts, entries: Sequence[Entry]) -> Columns:
    """How late the harness itself was, and whether that moved this turn's numbers beyond the bound."""
    decisive_ms = decisive_late_ms(timeline, turn, entries)
    stood_ms = gap_ms(timeline, turn, entries)
    lags = [entry.read_ns - entry.signal.at_ns for entry in entries]
    lag_ms = max(lags) / NS_PER_MS if lags else None
    # Where the kernel stamps arrivals, a late read does not move them, unless nobody watched them come.
    felt = [decisive_ms, stood_ms] if timeline.connection.kernel_stamps else [decisive_ms, stood_ms, lag_ms]
    bound_ms = timeline.client_late_ms
    return {
        "frames": turn.frames,
        "send_late_ms": max(turn.frame_late_us) / 1000 if turn.frame_late_us else None,
        "decisive_late_ms": decisive_ms,
        "recv_lag_ms": lag_ms,
        "gap_ms": stood_ms,
        "client_late": bound_ms is not None and any(late is not None and late > bound_ms for late in felt),
    }


def _identity(timeline: Timeline, turn: TurnFacts, anchor: WallAnchor, model: str | None) -> Columns:
    labels = timeline.labels
    return {
        "run_id": labels.run_id,
        "worker": labels.worker,
        "session_id": labels.session_id,
        "session_index": labels.session_index,
        "caller": labels.caller,
        "turn": turn.index,
        "step": turn.step,
        "step_id": turn.step_id,
        "scenario": labels.scenario,
        "phase": turn.phase,
        "phase_ended": turn.phase_ended,
        "warmup": turn.warmup,
        "target": labels.target,
        "provider": labels.provider,
        "model": model,
        "dialect": labels.dialect,
        "transport": labels.transport,
        "fixture": turn.fixture,
        "language": turn.language,
        "accent": turn.accent,
        "voice": turn.voice,
        "caller_kind": turn.caller_kind,
        "condition": turn.condition,
        "cell": labels.cell,
        "open_sessions": turn.open_sessions,
        "talking_sessions": turn.talking_sessions,
        "manual": timeline.manual,
        "session_type": "transcription" if timeline.transcribes else "realtime",
        "renewals": renewals_before(timeline, turn),
        "started_at": anchor.wall(turn.t0_ns),
        "ended_at": None if turn.ended_ns is None else anchor.wall(turn.ended_ns),
        "speech_start_ms": (turn.speech_start_ns - turn.t0_ns) / NS_PER_MS,
        "speech_ms": (turn.speech_end_ns - turn.speech_start_ns) / NS_PER_MS,
        "reference": turn.reference,
        "expectations": orjson.dumps(turn.expect).decode() if turn.expect is not None else None,
    }


def _latencies(
    timeline: Timeline, turn: TurnFacts, entries: Sequence[Entry], replies: Sequence[Reply], answer: Reply | None
) -> Columns:
    def since_speech(at_ns: int | None) -> float | None:
        return _between_ms(turn.speech_end_ns, at_ns)

    first_audio_ns = answer.audio[0].at_ns if answer is not None and answer.audio else None
    audible_ns = answer.audible_ns(timeline.output_rate_hz) if answer is not None else None
    commit_ns = turn.commit_ns if turn.commit_ns is not None else turn.response_request_ns
    return {
        "endpoint_ms": None if timeline.manual else since_speech(_endpoint_ns(turn, entries)),
        "ttft_ms": since_speech(answer.text[0].at_ns if answer is not None and answer.text else None),
        "first_audio_ms": since_speech(first_audio_ns),
        "first_audible_ms": since_speech(audible_ns),
        "leading_silence_ms": _between_ms(first_audio_ns, audible_ns),
        "commit_to_first_audio_ms": _between_ms(commit_ns, first_audio_ns) if timeline.manual else None,
        "response_created_ms": since_speech(answer.started_ns if answer is not None else None),
        "response_done_ms": since_speech(answer.ended.at_ns if answer is not None and answer.ended else None),
        "tool_ms": since_speech(next((call.at_ns for reply in replies for call in reply.tools), None)),
    }


def _endpoint_ns(turn: TurnFacts, entries: Sequence[Entry]) -> int | None:
    """The first verdict "the turn is over" after the caller ended; else the last before it (a split utterance)."""
    stops = [entry.signal.at_ns for entry in entries if isinstance(entry.signal, SpeechStopped)]
    after = [at_ns for at_ns in stops if at_ns >= turn.speech_end_ns]
    if after:
        return min(after)
    return max(stops) if stops else None


def _between_ms(start_ns: int | None, end_ns: int | None) -> float | None:
    return None if start_ns is None or end_ns is None else (end_ns - start_ns) / NS_PER_MS


def _delivery(
    timeline: Timeline, turn: TurnFacts, replies: Sequence[Reply], answer: Reply | None, parts: Sequence[Reply]
) -> Columns:
    """How the answer came, and how a listener with a jitter buffer hears it.

    `parts`: the responses that it consists of, more than one where it went on after a tool. Speeds are those of the
    last one that brought anything: the wait for a tool is no delivery.
    """
    if answer is None:
        return {"responses": len(replies)}
    rate_hz = timeline.output_rate_hz
    last = next((part for part in reversed(parts) if part.first_output_ns is not None), answer)
    usage = last.usage
    columns: Columns = {
        "responses": len(replies),
        "reply_text": answer.wording,
        "text_deltas": len(answer.text),
        "audio_deltas": len(answer.audio),
        "text_tokens_per_s": _per_second(_said_tokens(usage), last.text),
        "audio_tokens_per_s": _per_second(usage.out_audio_tokens if usage else None, last.audio),
        "audio_rtf": _per_second(last.samples / rate_hz, last.audio),
        "underrun_ms": underrun_ms(last.chunks, rate_hz),
    }
    if answer.audio:
        players = [heard_reply(timeline, turn, part) for part in parts if part.audio]
        stalls_ns = [stall.length_ns for player in players for stall in player.stalls]
        ends_ns = [player.end_ns for player in players if player.end_ns is not None]
        columns |= {
            "reply_audio_ms": answer.samples / rate_hz * 1000,
            "reply_words_per_min": _words_per_min(answer, parts, rate_hz),
            "reply_heard_ms": _between_ms(turn.speech_end_ns, max(ends_ns, default=None)),
            "stalls": len(stalls_ns),
            "stall_ms": sum(stalls_ns) / NS_PER_MS,
            "longest_stall_ms": max(stalls_ns, default=0) / NS_PER_MS,
        }
    return columns


def _words_per_min(answer: Reply, parts: Sequence[Reply], rate_hz: int) -> float | None:
    """How fast the agent spoke, without the silence before it; None for a reply that was not sent whole."""
    spoken = [part for part in parts if part.audio]
    if not spoken or answer.wording is None:
        return None
    if any(part.ended is None or part.ended.status not in {"completed", "unknown"} for part in parts):
        return None
    if any(part.onset is None or part.onset.sample < 0 for part in spoken):
        return None
    samples = sum(part.samples - part.onset.sample for part in spoken if part.onset is not None)
    return words_per_min(answer.wording, samples / rate_hz * 1000)


def _said_tokens(usage: Usage | None) -> int | None:
    """Text tokens that became words: reasoning is billed among them and never comes over the line."""
    if usage is None or usage.out_text_tokens is None:
        return None
    return usage.out_text_tokens - (usage.out_reasoning_tokens or 0) + reasoning_apart(usage)


def _per_second(amount: float | None, deltas: Sequence[TextDelta] | Sequence[AudioDelta]) -> float | None:
    """`amount` over the time from the first to the last delta; None without an amount or without such a time."""
    if amount is None or amount <= 0 or len(deltas) < 2 or deltas[-1].at_ns <= deltas[0].at_ns:
        return None
    return amount * 1e9 / (deltas[-1].at_ns - deltas[0].at_ns)


def _words(turn: TurnFacts, heard: Heard) -> Columns:
    columns: Columns = {
        "hypothesis": heard.text,
        "transcription_error": heard.error,
        "transcription_ms": _between_ms(turn.speech_end_ns, heard.final_ns),
    }
    return columns


def with_word_score(row: TurnRecord) -> TurnRecord:
    """`row` with its words compared and its expectations graded.

    A text that is too long to be compared is named in `transcription_error`.
    """
    return graded(_scored(row))


def _scored(row: TurnRecord) -> TurnRecord:
    if row.reference is None or row.hypothesis is None:
        return row
    if too_long(row.reference, row.hypothesis):
        return replace(row, transcription_error=row.transcription_error or "too_long")
    try:
        score = score_words(row.reference, row.hypothesis, row.language)
    except ValueError:
        # A run of a time when a catalogue could name any language.
        return replace(row, transcription_error=row.transcription_error or "unknown_language")
    if score is None:
        return row
    return replace(row, **{name: getattr(score, name) for name in WordScore.__slots__})
