"""A turn in which the agent called tools: one answer in several responses, with our results between them.

In: the timeline of a call, a turn and its responses. Out: the responses that make up the answer, and columns of the
turn's row. Trap: what became of a tool after the turn had ended is not part of its row, or a row that is measured
again would be another one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import orjson

from bench.audio.playback import NS_PER_MS, played
from bench.facts.acts import ToolUse
from bench.facts.signals import Onset
from bench.facts.timeline import Timeline, TurnFacts
from bench.measure.bills import Columns
from bench.measure.outcome import Outcome, turn_ended
from bench.measure.replies import Reply

MOST_ARGUMENTS_CHARS = 1_000
_NEVER_NS = 2**63


def uses_of(timeline: Timeline, turn: TurnFacts) -> list[ToolUse]:
    """The tool calls of `turn` that we took up, as they stood when it ended."""
    until_ns = _NEVER_NS if turn.ended_ns is None else turn.ended_ns
    return [_as_known(use, until_ns) for use in timeline.tools if use.turn == turn.index and use.called_ns <= until_ns]


def _as_known(use: ToolUse, until_ns: int) -> ToolUse:
    """`use` as it stood at `until_ns`."""
    decided = use.decided_ns is not None and use.decided_ns <= until_ns
    return replace(
        use,
        error=use.error if decided else None,
        detail=use.detail if decided else None,
        sent_ns=use.sent_ns if use.sent_ns is not None and use.sent_ns <= until_ns else None,
        asked_ns=use.asked_ns if use.asked_ns is not None and use.asked_ns <= until_ns else None,
    )


def chain_of(replies: Sequence[Reply], uses: Sequence[ToolUse]) -> list[Reply]:
    """The responses that together are the answer: from the first whose call we answered on; none without one."""
    answered = {use.response for use in uses if use.sent_ns is not None}
    first = next((place for place, reply in enumerate(replies) if reply.number in answered), None)
    if first is None:
        return []
    return [reply for reply in replies[first:] if reply.ended is None or reply.ended.status != "cancelled"]


def joined(chain: Sequence[Reply]) -> Reply:
    """The responses of `chain` as one: its first words and sounds are the first of any, its end is that of the last."""
    whole = Reply(chain[-1].number, started_ns=chain[0].started_ns, ended=chain[-1].ended)
    before = 0
    for reply in chain:
        whole.text += reply.text
        whole.audio += reply.audio
        whole.tools += reply.tools
        if whole.onset is None and reply.onset is not None and reply.onset.sample >= 0:
            whole.onset = Onset(reply.onset.at_ns, reply.onset.response_id, before + reply.onset.sample)
        before += reply.samples
    if whole.ended is not None:
        wording = " ".join(text.strip() for text in (reply.wording for reply in chain) if text)
        whole.ended = replace(whole.ended, text=wording or None)
    return whole


def tool_columns(timeline: Timeline, uses: Sequence[ToolUse], replies: Sequence[Reply]) -> Columns:
    """What the agent called, how long our answers took, and how soon it spoke after them; nothing without a call."""
    calls = [call for reply in replies for call in reply.tools]
    if not calls:
        return {}
    known = {use.call_id: use for use in uses}
    took_ns = [use.sent_ns - use.called_ns for use in uses if use.sent_ns is not None]
    wrong = next((use for use in uses if use.error is not None), None)
    return {
        "tool_calls": len(calls),
        "tools_called": _described(known, replies),
        "tool_rounds": len({use.response for use in uses if use.asked_ns is not None}),
        "tool_error": None if wrong is None else wrong.error,
        "tool_answer_ms": max(took_ns) / NS_PER_MS if took_ns else None,
        "tool_resume_ms": _resume_ms(timeline, uses, replies),
        "preamble": _preamble(uses, replies),
    }


def _described(known: dict[str, ToolUse], replies: Sequence[Reply]) -> str:
    """The calls as JSON: a list of `{name, arguments, error}`."""
    shown: list[dict[str, Any]] = []
    for reply in replies:
        for call in reply.tools:
            use = known.get(call.call_id)
            one: dict[str, Any] = {"name": call.name, "arguments": call.arguments[:MOST_ARGUMENTS_CHARS]}
            if use is not None and use.error is not None:
                one |= {"error": use.error, "detail": use.detail}
            shown.append(one)
    return orjson.dumps(shown).decode()


def _preamble(uses: Sequence[ToolUse], replies: Sequence[Reply]) -> bool | None:
    """Whether the agent said something before it had the first result; None when it never got one."""
    sent_ns = min((use.sent_ns for use in uses if use.sent_ns is not None), default=None)
    if sent_ns is None:
        return None
    first = next(reply for reply in replies if reply.tools)
    return any(delta.at_ns <= sent_ns for delta in first.audio or first.text)


def _resume_ms(timeline: Timeline, uses: Sequence[ToolUse], replies: Sequence[Reply]) -> float | None:
    """The last result before it -> first audible sample of the first response after a result that has one.

    A response is heard after what was said before the tool, and not beside it.
    """
    asked = sorted((use.asked_ns, use.sent_ns) for use in uses if use.asked_ns is not None and use.sent_ns is not None)
    heard_ns = 0
    for reply in replies:
        before = [sent_ns for asked_ns, sent_ns in asked if reply.begun_ns is not None and asked_ns <= reply.begun_ns]
        player = played(reply.chunks, rate_hz=timeline.output_rate_hz, buffer_ms=0, after_ns=heard_ns)
        if before and reply.onset is not None and reply.onset.sample >= 0:
            audible_ns = player.heard_at(reply.onset.sample)
            return None if audible_ns is None else (audible_ns - max(before)) / NS_PER_MS
        heard_ns = max(heard_ns, player.end_ns or 0)
    return None


def with_tool_errors(outcome: Outcome, turn: TurnFacts, uses: Sequence[ToolUse]) -> Outcome:
    """`outcome`, or the failure of a tool that the agent did not make good by a later call.

    A turn that failed for another reason, that was cut into, or that the end of the run cut off, keeps its own.
    """
    wrong = next((use for use in reversed(uses) if use.error is not None and not _made_good(use, uses)), None)
    if wrong is None or not turn_ended(turn) or outcome.status not in {"ok", "no_reply"}:
        return outcome
    if outcome.status == "no_reply" and outcome.error_code not in {"tool_only", "empty_reply"}:
        return outcome
    return Outcome("failed", "tool", wrong.error, f"{wrong.name}: {wrong.detail}", stage="turn")


def _made_good(wrong: ToolUse, uses: Sequence[ToolUse]) -> bool:
    """Whether a later response called the tool again, or another one in the place of one that there is not."""
    return any(
        use.response > wrong.response
        and use.error is None
        and (use.name == wrong.name or wrong.error == "unknown_tool")
        for use in uses
    )
