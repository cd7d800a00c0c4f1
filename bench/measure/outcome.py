"""How a turn ended, from facts and fields: `status`, `error_kind`, `error_code`, `close_code`, `stage`.

In: the facts of the turn, its responses, the errors the server named. Out: an `Outcome`.
Trap: a healthy socket proves nothing. A rate limit arrives as a response that failed, and a "completed" response
without a single byte of audio is a failure of the server, not an answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from bench.facts.failure import ErrorKind, Failure
from bench.facts.signals import (
    ErrorInfo,
    InputCommitted,
    InputTranscript,
    InputTranscriptFailed,
    Malformed,
    ResponseEnded,
    ServerError,
    SpeechStarted,
    SpeechStopped,
    Unrecognised,
)
from bench.facts.timeline import Entry, Timeline, TurnFacts
from bench.measure.records import SessionRecord, TurnStatus
from bench.measure.replies import Reply
from bench.measure.splits import is_half_answered
from bench.measure.transcript import Heard

__all__ = ["ANSWERED", "ERRORS", "STOPPED", "Outcome", "judge", "judge_transcription", "turn_ended"]

ANSWERED: frozenset[TurnStatus] = frozenset({"ok", "interrupted"})
"""Statuses that count as answered: their latencies enter the percentiles; every other status is +infinity there."""

ERRORS: frozenset[TurnStatus] = frozenset({"failed", "no_reply", "cancelled", "incomplete"})
"""Statuses that `error_rate` counts. An `early` reply is a fault of turn-taking and has a rate of its own."""

MAY_GIVE_UP: frozenset[str] = frozenset({"closed", "timeout", "connect", "handshake", "tls"})
"""Kinds of errors by which the other side of a call may have given up on a process of ours that stood still. A server
that names another cause (a key, a quota, a limit) names its own."""
GIVES_UP_MS = 1000.0
"""Nobody gives up on a peer that stood still for less."""

_HEARD = (SpeechStarted, SpeechStopped, InputCommitted, InputTranscript)
HALF_ANSWERED = "the server ended the turn in the middle of what was said and answered the first part alone"
STOPPED = "stopped"
"""`stage` of a turn that the end of the run cut off: it did not end, so it is neither a success nor an error."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome columns of a turn; `error_kind` is None for `ok` and where nothing went wrong but the timing."""

    status: TurnStatus
    error_kind: ErrorKind | None = None
    error_code: str | None = None
    error_message: str | None = None
    close_code: int | None = None
    stage: str | None = None


def turn_ended(turn: TurnFacts) -> bool:
    """Whether the turn came to an end of its own, good or bad; a turn cut off by the end of the run did not.

    A caller that counts turns keeps only those for which this is true.
    """
    return turn.end is not None and turn.end != "stopped"


def was_given_up(call: SessionRecord) -> bool:
    """Whether the other side may have given up `call` because this process stood still; then nobody else is blamed."""
    named = call.error_kind not in MAY_GIVE_UP or call.http_status is not None
    return call.status == "failed" and not named and (call.gap_ms or 0.0) >= GIVES_UP_MS


def judge(
    timeline: Timeline,
    turn: TurnFacts,
    entries: Sequence[Entry],
    replies: Sequence[Reply],
    answer: Reply | None,
    *,
    audio_expected: bool,
    cut: bool = False,
    split: bool = False,
    talked_over: bool = False,
) -> Outcome:
    """The outcome of `turn`; `entries` are its signals, `replies` its responses, `answer` the one that counts.

    `cut`: our caller cut into `answer`, as the scenario asked; whether the server then cancelled it is no matter.
    `split`: the server took the turn in as several; what it took back of the first part unheard is no matter either.
    `talked_over`: something of a reply was audible while the caller spoke.

    First what became of the answer, then whether the server spoke too soon: a reply that begins before the caller
    has ended is `early` (or `cancelled`, if it was taken back unheard) even when a second one went well.
    """
    ended = answer.ended if answer is not None else None
    if cut and (ended is None or ended.status in {"completed", "cancelled", "unknown"}):
        outcome = Outcome("interrupted")
    elif ended is not None and ended.status == "cancelled" and turn.end != "completed":
        # Taken back, and the reply that should have followed never came: say why, under the name `cancelled`.
        outcome = _of_unfinished(timeline, turn, entries, replies, None, audio_expected=audio_expected)
        if outcome.status == "no_reply":
            outcome = replace(outcome, status="cancelled", error_code=outcome.error_code or ended.reason)
    elif answer is not None and ended is not None and turn.end != "error":  # a refused turn may hold a reply
        outcome = _of_ended(answer, ended, entries, audio_expected=audio_expected)
    else:
        outcome = _of_unfinished(timeline, turn, entries, replies, answer, audio_expected=audio_expected)
    if split and outcome.status == "ok" and is_half_answered(turn, replies):
        outcome = Outcome("no_reply", "server", "half_answered", HALF_ANSWERED, stage="turn")
    if outcome.status != "failed":
        outcome = _too_soon(turn, replies, outcome) if not split or talked_over else outcome
    return outcome if turn_ended(turn) else replace(outcome, stage=STOPPED)


def judge_transcription(timeline: Timeline, turn: TurnFacts, entries: Sequence[Entry], heard: Heard) -> Outcome:
    """The outcome of a turn of a session that only writes down: answered when all that was said is written."""
    if heard.text is not None and turn_ended(turn) and turn.end != "error":
        return Outcome("ok")
    failed = next((e.signal for e in entries if isinstance(e.signal, InputTranscriptFailed)), None)
    if failed is not None:
        return replace(_from_error(failed.error), stage="transcription")
    if turn.end == "reply_timeout":
        outcome = _timed_out(timeline, turn, "no_reply", entries, [])
        if outcome.error_kind == "timeout":
            said = "the final text of what was said did not come in time"
            return replace(outcome, error_code="transcription_timeout", error_message=said, stage="transcription")
        return outcome
    outcome = _of_unfinished(timeline, turn, entries, [], None, audio_expected=False)
    if outcome.error_code == "empty_reply":
        return Outcome("no_reply", "server", "no_transcription", "a part of what was said was not written down")
    return outcome


def _of_ended(answer: Reply, ended: ResponseEnded, entries: Sequence[Entry], *, audio_expected: bool) -> Outcome:
    if ended.status == "failed":
        return _from_error(ended.error, fallback_code=ended.reason)
    if ended.status in {"incomplete", "cancelled"}:
        status: TurnStatus = "incomplete" if ended.status == "incomplete" else "cancelled"
        return Outcome(status, error_code=ended.reason, stage="turn")
    return _of_what_came(answer, entries, audio_expected=audio_expected)


def _of_what_came(answer: Reply | None, entries: Sequence[Entry], *, audio_expected: bool) -> Outcome:
    """A response that completed: answered when what was asked for is in it, else named by what is in it instead."""
    if answer is not None and answer.delivered(audio_expected=audio_expected):
        return Outcome("ok")
    unread = next((e.signal for e in entries if isinstance(e.signal, Malformed) and e.signal.of_sound), None)
    if unread is not None and audio_expected:
        return Outcome("no_reply", "protocol", "malformed_message", unread.detail, stage="turn")
    code, message = "empty_reply", "the response ended without any reply in it"
    if answer is not None and answer.tools:
        names = ", ".join(dict.fromkeys(call.name for call in answer.tools))
        code, message = "tool_only", f"the response is a tool call ({names[:100]}) and nothing to be heard"
    elif answer is not None and answer.wording is not None and audio_expected:
        code, message = "text_only", "the response is text, and audio was asked for"
    return Outcome("no_reply", "server", code, message, stage="turn")


def _of_unfinished(
    timeline: Timeline,
    turn: TurnFacts,
    entries: Sequence[Entry],
    replies: Sequence[Reply],
    answer: Reply | None,
    *,
    audio_expected: bool,
) -> Outcome:
    """A turn whose answer has no end: cut off, timed out, refused, closed, or of a protocol that marks no end."""
    began = answer is not None and answer.first_output_ns is not None
    if not turn_ended(turn):
        return Outcome("incomplete" if began else "no_reply", stage=STOPPED)
    if turn.end == "completed":
        return _of_what_came(answer, entries, audio_expected=audio_expected)
    failure = turn.failure or timeline.failure
    named = [e.signal for e in entries if isinstance(e.signal, ServerError) and not e.signal.benign]
    close_code = failure.close_code if failure is not None else None
    if turn.end == "error" and failure is not None:
        return replace(_from_failure(failure, "failed"), close_code=close_code)
    if named:
        return replace(_from_error(named[0].error), close_code=close_code)
    status: TurnStatus = "failed" if began else "no_reply"
    if turn.end in {"reply_timeout", "response_timeout"}:
        return _timed_out(timeline, turn, status, entries, replies)
    if failure is not None:
        return replace(_from_failure(failure, status), close_code=close_code)
    return Outcome(status, "closed", close_code=close_code, stage="turn")


def _timed_out(
    timeline: Timeline, turn: TurnFacts, status: TurnStatus, entries: Sequence[Entry], replies: Sequence[Reply]
) -> Outcome:
    """A bound ran out; if the server sent unreadable messages meanwhile, those are the cause."""
    broken = next((entry.signal for entry in entries if isinstance(entry.signal, Malformed)), None)
    if broken is not None:
        return Outcome(status, "protocol", "malformed_message", broken.detail, stage="turn")
    return Outcome(status, "timeout", turn.end, _how_far(timeline, turn, entries, replies), stage="turn")


def _how_far(timeline: Timeline, turn: TurnFacts, entries: Sequence[Entry], replies: Sequence[Reply]) -> str:
    """What did come of a reply that was waited for in vain, and what to look at."""
    if replies:
        reply = replies[-1]
        if reply.first_output_ns is None:
            return f"the response was announced {_after(turn, reply.begun_ns)} and nothing of it came"
        last_ns = max([delta.at_ns for delta in reply.text] + [delta.at_ns for delta in reply.audio])
        return f"the reply began, its last piece came {_after(turn, last_ns)}, and its end never came"
    odd = sorted({entry.signal.name for entry in entries if isinstance(entry.signal, Unrecognised)})
    if odd:
        return f"no reply that is understood; the server sent {', '.join(odd[:3])}{' ...' if len(odd) > 3 else ''}"
    known = timeline.entries if turn.entries_measured is None else timeline.entries[: turn.entries_measured]
    if not timeline.manual and not any(isinstance(entry.signal, _HEARD) for entry in known):
        return "no reply and no speech_started: does the server detect turns? try session.turn_detection: manual"
    return "no reply in time"


def _after(turn: TurnFacts, at_ns: int | None) -> str:
    return "" if at_ns is None else f"{(at_ns - turn.speech_end_ns) / 1e6:,.0f} ms after the end of speech"


def _too_soon(turn: TurnFacts, replies: Sequence[Reply], outcome: Outcome) -> Outcome:
    """`outcome`, renamed when the server did not let the caller finish; an `error_kind` that it has is kept."""
    for reply in replies:
        if reply.first_output_ns is not None and reply.first_output_ns < turn.speech_end_ns:
            return _renamed(outcome, "early", reply.ended)
    for reply in replies:
        taken_back = reply.ended is not None and reply.ended.status == "cancelled"
        if taken_back and reply.begun_ns is not None and reply.begun_ns < turn.speech_end_ns:
            return _renamed(outcome, "cancelled", reply.ended)
    return outcome


def _renamed(outcome: Outcome, status: TurnStatus, ended: ResponseEnded | None) -> Outcome:
    code = outcome.error_code or (ended.reason if ended is not None else None)
    return replace(outcome, status=status, error_code=code, stage="turn")


def _from_failure(failure: Failure, status: TurnStatus) -> Outcome:
    return Outcome(status, failure.error_kind, failure.error_code, failure.message, failure.close_code, failure.stage)


def _from_error(error: ErrorInfo | None, fallback_code: str | None = None) -> Outcome:
    if error is None:
        return Outcome("failed", "server", fallback_code, stage="turn")
    code = error.code or error.type or fallback_code
    return Outcome("failed", error.error_kind, code, error.message, stage="turn")
