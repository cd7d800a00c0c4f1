"""The responses of one turn, gathered from its signals: a turn may hold none, one, or several.

In: the entries attributed to a turn, in order. Out: one `Reply` per response, and which of them answered.
Trap: any id may be missing and any event may be missing, so a response exists from its first sign, whatever that
is; and a server that split the caller's sentence has a first response that is not the answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from bench.audio.playback import Chunk, played
from bench.facts.signals import (
    AudioDelta,
    Onset,
    ResponseEnded,
    ResponseStarted,
    Signal,
    TextDelta,
    ToolCall,
    Usage,
)
from bench.facts.timeline import Entry


@dataclass(slots=True)
class Reply:
    """One response of the server as it arrived. Empty deltas are not kept: they carry neither word nor sound."""

    number: int | None = None
    """As the timeline counts responses."""
    started_ns: int | None = None
    text: list[TextDelta] = field(default_factory=list)
    audio: list[AudioDelta] = field(default_factory=list)
    onset: Onset | None = None
    tools: list[ToolCall] = field(default_factory=list)
    ended: ResponseEnded | None = None

    @property
    def chunks(self) -> list[Chunk]:
        """The audio as a player takes it."""
        return [Chunk(delta.at_ns, delta.samples) for delta in self.audio]

    @property
    def samples(self) -> int:
        """Length of the reply audio."""
        return sum(delta.samples for delta in self.audio)

    @property
    def first_output_ns(self) -> int | None:
        """Arrival of the first word or sound, None when there was neither."""
        stamps = [deltas[0].at_ns for deltas in (self.text, self.audio) if deltas]
        return min(stamps) if stamps else None

    @property
    def begun_ns(self) -> int | None:
        """The first sign of the response: its announcement or its first output."""
        stamps = [stamp for stamp in (self.started_ns, self.first_output_ns) if stamp is not None]
        return min(stamps) if stamps else None

    @property
    def usage(self) -> Usage | None:
        """What the server said it bills for this response."""
        return self.ended.usage if self.ended is not None else None

    @property
    def wording(self) -> str | None:
        """The whole reply text: as the closing event gives it, else joined from the deltas."""
        if self.ended is not None and self.ended.text:
            return self.ended.text
        return "".join(delta.text for delta in self.text) or None

    def audible_ns(self, rate_hz: int) -> int | None:
        """When the first audible sample can be heard at the earliest: by a player without a buffer."""
        if self.onset is None or self.onset.sample < 0:
            return None
        return played(self.chunks, rate_hz=rate_hz, buffer_ms=0).heard_at(self.onset.sample)

    def delivered(self, *, audio_expected: bool) -> bool:
        """Whether what the caller was promised came: sound in a spoken session, words in a written one."""
        return bool(self.audio) if audio_expected else self.wording is not None


def collect_replies(entries: Iterable[Entry]) -> list[Reply]:
    """The responses of a turn, in order of first appearance, as the timeline numbers them."""
    replies: dict[int, Reply] = {}
    for entry in entries:
        if entry.response is not None:
            _add(replies.setdefault(entry.response, Reply(entry.response)), entry.signal)
    return list(replies.values())


def _add(reply: Reply, signal: Signal) -> None:
    match signal:
        case ResponseStarted() if reply.started_ns is None:
            reply.started_ns = signal.at_ns
        case TextDelta() if signal.text:
            reply.text.append(signal)
        case AudioDelta() if signal.samples > 0:
            reply.audio.append(signal)
        case Onset() if reply.onset is None:
            reply.onset = signal
        case ToolCall() if all(call.call_id != signal.call_id for call in reply.tools):
            reply.tools.append(signal)
        case ResponseEnded() if reply.ended is None:  # a repeated end must not bill twice
            reply.ended = signal
        case ResponseEnded() if signal.text and reply.ended is not None and not reply.ended.text:
            reply.ended = replace(reply.ended, text=signal.text)  # what was really said of it, told afterwards
        case _:
            pass


def answer_of(
    replies: Sequence[Reply], *, speech_end_ns: int, audio_expected: bool, whole_ns: int | None = None
) -> Reply | None:
    """The response that answered the turn, whose times become the turn's.

    `whole_ns`: of a turn that the server split, when it had taken in all of it. A response that began then or later is
    the answer, if there is one.
    Else the first that completed with what was promised, one that began after the caller had ended before one that did
    not; else the first not cancelled one that gave anything; else the last not cancelled one; else the last. None
    when there was no response at all.
    """
    if whole_ns is not None:
        replies = [reply for reply in replies if (reply.begun_ns or 0) >= whole_ns] or replies
    standing = [reply for reply in replies if reply.ended is None or reply.ended.status != "cancelled"]
    delivered = [
        reply
        for reply in standing
        if reply.ended is not None
        and reply.ended.status in {"completed", "unknown"}
        and reply.delivered(audio_expected=audio_expected)
    ]
    for reply in delivered:
        if (reply.first_output_ns or 0) >= speech_end_ns:
            return reply
    with_output = [reply for reply in standing if reply.first_output_ns is not None]
    first_choice = delivered[:1] or with_output[:1] or standing[-1:] or list(replies[-1:])
    return first_choice[0] if first_choice else None


def add_usage(replies: Iterable[Reply]) -> Usage | None:
    """Tokens over all responses of the turn: a count is None only where no response said it. None if none billed."""
    usages = [reply.usage for reply in replies if reply.usage is not None]
    if not usages:
        return None

    def total(name: str) -> int | None:
        said = [value for value in (getattr(usage, name) for usage in usages) if value is not None]
        return sum(said) if said else None

    return Usage(
        in_text_tokens=total("in_text_tokens"),
        in_audio_tokens=total("in_audio_tokens"),
        in_image_tokens=total("in_image_tokens"),
        in_cached_text_tokens=total("in_cached_text_tokens"),
        in_cached_audio_tokens=total("in_cached_audio_tokens"),
        in_cached_image_tokens=total("in_cached_image_tokens"),
        out_text_tokens=total("out_text_tokens"),
        out_audio_tokens=total("out_audio_tokens"),
        in_total_tokens=total("in_total_tokens"),
        out_total_tokens=total("out_total_tokens"),
        out_reasoning_tokens=total("out_reasoning_tokens"),
        refused=tuple(dict.fromkeys(line for usage in usages for line in usage.refused)),
        cached_split_assumed=any(usage.cached_split_assumed for usage in usages),
    )
