"""Whether the harness itself was late in a turn, and by how much: in sending, and in seeing what arrived.

In: a timeline, a turn and its entries. Out: lateness in ms, and the length of the longest gap that touched the turn.
Trap: a stamp inside of a gap is that of its end, whatever arrived when; and a server that gets the frames of a gap all
at once needs a moment to work through them, so a gap that is over may still be in a latency.
"""

from __future__ import annotations

from collections.abc import Sequence

from bench.audio.playback import NS_PER_MS
from bench.facts.gaps import Gap
from bench.facts.signals import AudioDelta, InputCommitted, ResponseStarted, SpeechStarted, SpeechStopped, TextDelta
from bench.facts.timeline import Entry, Timeline, TurnFacts

_REACTIONS = (SpeechStopped, InputCommitted, ResponseStarted, TextDelta, AudioDelta)
MOST_CATCHING_UP_NS = 1_000_000_000
"""After a gap the server is given as long as it lasted, and no longer than this, to hear what was sent at once."""


def decisive_late_ms(timeline: Timeline, turn: TurnFacts, entries: Sequence[Entry]) -> float | None:
    """How late the frames were that carried the end of speech, and those after it until the server reacted.

    A server cannot react to what it has not been sent: the lateness of these frames, and of no others, is part of
    every latency of the turn. So is that of the request for a reply, which follows the last frame in push to talk, and
    where the caller cuts into a reply, that of the frames from the onset of speech until the server heard it.
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
    late_ms = [late_us / 1000 for late_us in turn.frame_late_us[max(0, first) : max(first + 1, last)]]
    if turn.cuts_into is not None:
        late_ms += [late_us / 1000 for late_us in _onset_frames(turn, entries, frame_ns)]
    asked_ns = turn.response_request_ns if turn.response_request_ns is not None else turn.commit_ns
    if timeline.manual and asked_ns is not None:
        frames = -(-(turn.utterance_end_ns - turn.t0_ns) // frame_ns)
        late_ms.append((asked_ns - turn.t0_ns - frames * frame_ns) / NS_PER_MS)
    return max(late_ms) if late_ms else None


def _onset_frames(turn: TurnFacts, entries: Sequence[Entry], frame_ns: float) -> Sequence[int]:
    """Lateness of the frames from the onset of speech until the server said that it hears it, microseconds."""
    first = int((turn.speech_start_ns - turn.t0_ns) // frame_ns)
    heard = [entry.signal.at_ns for entry in entries if isinstance(entry.signal, SpeechStarted)]
    last = int((min(heard) - turn.t0_ns) // frame_ns) if heard else first + 1
    return turn.frame_late_us[first : max(first + 1, last)]


def gap_ms(timeline: Timeline, turn: TurnFacts, entries: Sequence[Entry]) -> float | None:
    """The length of the longest gap that touched what the turn's numbers rest on; None when none did."""
    gaps = timeline.gaps[: turn.gaps_measured]
    return max((gap.length_ns for gap in gaps if _touches(gap, timeline, turn, entries)), default=0) / NS_PER_MS or None


def _touches(gap: Gap, timeline: Timeline, turn: TurnFacts, entries: Sequence[Entry]) -> bool:
    end_ns = turn.ended_ns if turn.ended_ns is not None else gap.end_ns
    if _spoke_in(gap, timeline, turn):
        return True
    if turn.end not in {"completed", "interrupted"} and gap.end_ns > turn.t0_ns and gap.start_ns < end_ns:
        # What was not answered while nobody listened may have been answered.
        return True
    if gap.kind == "suspended":
        last_ns = max((entry.read_ns for entry in entries), default=end_ns)
        return gap.end_ns > turn.t0_ns and gap.start_ns < last_ns
    if gap.kind == "clock":
        # The age of a stamp was taken on a clock that was set since.
        return any(entry.signal.at_ns <= gap.end_ns and entry.read_ns >= gap.start_ns for entry in entries)
    return any(gap.start_ns < entry.signal.at_ns <= gap.end_ns for entry in entries)


def _spoke_in(gap: Gap, timeline: Timeline, turn: TurnFacts) -> bool:
    """Whether the end of speech, or the request for a reply, was sent in the gap or close after it."""
    if gap.kind == "clock":
        return False
    frame_ns = round((timeline.frame_ms or 0) * NS_PER_MS)
    said = (turn.speech_end_ns + frame_ns, turn.commit_ns, turn.response_request_ns)
    last_ns = max(at_ns for at_ns in said if at_ns is not None)
    catching_up_ns = min(gap.end_ns - gap.start_ns, MOST_CATCHING_UP_NS)
    return gap.start_ns < last_ns and gap.end_ns + catching_up_ns > turn.speech_end_ns
