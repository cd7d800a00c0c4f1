"""What the server heard the caller say in one turn, when that was known, and what it billed for it.

In: the entries of the turn; out: a `Heard`. Transcriptions are of items, a turn may hold several items (a split
utterance), and they may arrive out of order or after the reply.
Trap: words joined from a part of the items, or from unfinished deltas, would count the server's delay as its
mishearing; then there is no hypothesis, only a `transcription_error`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from bench.audio.playback import NS_PER_MS
from bench.facts.gaps import lost_ns
from bench.facts.signals import InputCommitted, InputTranscript, InputTranscriptFailed, TranscriptionUsage
from bench.facts.timeline import Entry, Timeline, TurnFacts


@dataclass(frozen=True, slots=True)
class Heard:
    """`text` is the whole transcription of the turn or None; `error` says why it is missing, when one was due."""

    text: str | None
    final_ns: int | None
    error: str | None
    usage: TranscriptionUsage | None
    transcribed_items: int
    unbilled_items: int
    """Transcribed items for which the server reported no usage."""


def entries_of_row(timeline: Timeline, turn: TurnFacts) -> list[Entry]:
    """The entries that the row of `turn` is made from: a transcription that came after its bound is not among them."""
    entries = timeline.of_turn(turn.index)
    if timeline.transcription_bound_ms is None or turn.ended_ns is None:
        return entries
    ended_ns, bound_ns = turn.ended_ns, round(timeline.transcription_bound_ms * NS_PER_MS)
    gaps = timeline.gaps[: turn.gaps_measured]

    def in_time(at_ns: int) -> bool:
        return at_ns - lost_ns(gaps, ended_ns, at_ns) <= ended_ns + bound_ns

    late = (InputTranscript, InputTranscriptFailed)
    return [entry for entry in entries if not isinstance(entry.signal, late) or in_time(entry.signal.at_ns)]


@dataclass(slots=True)
class _Transcripts:
    committed: list[str] = field(default_factory=list)
    final: dict[str, InputTranscript] = field(default_factory=dict)
    nameless: list[InputTranscript] = field(default_factory=list)
    failed: list[InputTranscriptFailed] = field(default_factory=list)


def heard_in(entries: Iterable[Entry], turn: TurnFacts, *, expected: bool) -> Heard:
    """The transcription of `turn`, joined in order of commit; `expected` when the session asked for one."""
    items = _gather(entries)
    finals = [items.final[name] for name in items.committed if name in items.final]
    finals += [signal for name, signal in items.final.items() if name not in items.committed]
    finals += items.nameless
    missing = sum(name not in items.final for name in items.committed) - len(items.nameless)
    error = _error(items, turn, expected=expected, missing=missing if finals else 1)
    whole = bool(finals) and missing <= 0 and not items.failed
    return Heard(
        text=" ".join(piece.text.strip() for piece in finals).strip() if whole else None,
        final_ns=max(signal.at_ns for signal in finals) if whole else None,
        error=error,
        usage=add_transcriptions(finals),
        transcribed_items=len(finals),
        unbilled_items=sum(signal.usage is None for signal in finals),
    )


def _gather(entries: Iterable[Entry]) -> _Transcripts:
    items = _Transcripts()
    for entry in entries:
        match entry.signal:
            case InputCommitted(item_id=str() as name) if name not in items.committed:
                items.committed.append(name)
            case InputTranscript(final=True, item_id=None) as signal:
                items.nameless.append(signal)
            case InputTranscript(final=True, item_id=str() as name) as signal:
                items.final.setdefault(name, signal)
            case InputTranscriptFailed() as signal:
                items.failed.append(signal)
            case _:
                pass
    return items


def _error(items: _Transcripts, turn: TurnFacts, *, expected: bool, missing: int) -> str | None:
    if items.failed:
        error = items.failed[0].error
        return error.code or error.type or "failed"
    if not expected or missing <= 0 or turn.end in {None, "stopped"}:
        return None
    return "closed" if turn.end == "closed" or turn.transcription_cut else "timeout"


def add_transcriptions(finals: Iterable[InputTranscript]) -> TranscriptionUsage | None:
    """What was billed for transcriptions together: a count is None only where none of them said it."""
    return add_usages([signal.usage for signal in finals if signal.usage is not None])


def add_usages(usages: Sequence[TranscriptionUsage]) -> TranscriptionUsage | None:
    """The sum of what was billed; None for nothing. A count is None only where none of them said it."""
    if not usages:
        return None

    def total(name: str) -> int | None:
        said = [value for value in (getattr(usage, name) for usage in usages) if value is not None]
        return sum(said) if said else None

    seconds = [usage.seconds for usage in usages if usage.seconds is not None]
    return TranscriptionUsage(
        seconds=sum(seconds) if seconds else None,
        in_text_tokens=total("in_text_tokens"),
        in_audio_tokens=total("in_audio_tokens"),
        out_text_tokens=total("out_text_tokens"),
        in_total_tokens=total("in_total_tokens"),
        refused=tuple(line for usage in usages for line in usage.refused),
    )
