"""One turn of one simulated call: what was drawn for it, what was heard, and its line in the truth log.

In: profile, seed, numbers of session and turn. Out: a `Turn` that the call fills in.
Trap: everything is drawn when the turn begins and always in the same order, so that a turn's delays depend on the
seed alone and not on how the call went.
"""

from __future__ import annotations

import random
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from bench.audio.level_detector import LevelDetector
from bench.audio.recording_matcher import Match
from bench.server.engines.simulated.faults import Faults, turn_faults
from bench.server.engines.simulated.profile import Profile
from bench.server.engines.simulated.reactions import SpokenInto
from bench.server.engines.simulated.reply_plan import ReplyPlan
from bench.server.engines.simulated.tool_calls import ToolPlan, tool_plan
from bench.server.engines.simulated.word_errors import Transcript, with_errors

GAPS = 64  # drawn chunk gaps; a longer reply repeats the last


@dataclass(slots=True, eq=False)
class Turn:
    """A stretch of caller speech and the reply to it. `end_ns` is its end on the clock of arrivals."""

    number: int
    rng: random.Random
    plan: ReplyPlan
    faults: Faults = field(default_factory=dict)
    tools: ToolPlan | None = None
    rounds: int = 0
    """Rounds of tool calls that it has made."""
    onset: int = 0
    asked: tuple[int, bool, bool] | None = None
    """Up to where, and how thoroughly, its audio was compared last."""
    match: Match | None = None
    end_position: float | None = None
    end_ns: int | None = None
    ended: bool = False
    """The end of speech is known and has been reached."""
    committed: bool = False
    commit_ns: int | None = None
    items: list[str] = field(default_factory=list)
    transcribed: list[str] = field(default_factory=list)
    """Those of `items` whose transcription was asked for."""
    transcript: Transcript | None = None
    caption_ends_ns: list[int] | None = None
    """When the sound of each word ends, on the clock of arrivals, as captions were planned by."""
    words_of: Match | None = None
    """What another caller said, whose words this turn is given; a fault."""
    words_of_session: int | None = None
    silence: bool = False
    """Nothing was said: the server took the silence in by itself."""
    spoken_into: SpokenInto | None = None
    start_ns: int | None = None
    """Its annotated start on the clock of arrivals; for a recording that was recognised."""
    logged: bool = False
    done: bool = False
    """Its response has ended."""

    def recognised(self, match: Match | None, end_position: float, end_ns: int) -> None:
        """What was said, and when it ended."""
        self.match, self.end_position, self.end_ns = match, end_position, end_ns
        if match is not None:
            length_ms = match.fixture.speech_end_ms - match.fixture.speech_start_ms
            self.start_ns = end_ns - round(length_ms * 1e6)

    def given(self, part: str) -> Match | None:
        """What the `transcript` or the `reply` is about: what was said, or by a fault what another caller said."""
        fault = self.faults.get("cross_talk")
        if self.words_of is None or fault is None or fault.form not in {"both", part}:
            return self.match
        return self.words_of

    def words(self, profile: Profile) -> Transcript:
        """The transcript with its errors, made once; empty for unknown audio."""
        if self.transcript is None:
            match = self.given("transcript")
            if match is None:
                self.transcript = Transcript("", 0, 0, 0)
            else:
                fixture, errors = match.fixture, profile.transcription.errors
                self.transcript = with_errors(
                    fixture.text, rng=self.rng, language=fixture.language, **errors.model_dump()
                )
        return self.transcript

    def record(self, detector: LevelDetector, profile: Profile) -> dict[str, Any]:
        """The turn's line in the truth log."""
        words, plan = self.words(profile), self.plan
        return {
            "turn": self.number,
            "items": self.items,
            "fixture": self.match.fixture.id if self.match is not None else None,
            "confidence": round(self.match.confidence, 4) if self.match is not None else None,
            "silence": self.silence,
            "known_by": "recording" if self.match is not None else "level",
            "rate_hz": detector.rate_hz,
            "speech_end_sample": self.end_position,
            "speech_start_ns": self.start_ns,
            "speech_end_ns": self.end_ns,
            "spoken_into": None if self.spoken_into is None else asdict(self.spoken_into),
            "commit_ns": self.commit_ns,
            "frame_end_samples": detector.ends,
            "frame_arrivals_ns": detector.arrivals,
            "reference": self.match.fixture.text if self.match is not None else None,
            "transcript": words.text,
            "captions": None if self.caption_ends_ns is None else {"word_ends_ns": self.caption_ends_ns},
            "expected": {name: getattr(words, name) for name in ("substitutions", "deletions", "insertions")},
            "planned_ms": {
                name: getattr(plan, f"{name}_ms")
                for name in ("endpoint", "first_token", "first_audio", "leading_silence", "reply")
            },
            "tools": None if self.tools is None else self.tools.record(),
            "faults": list(self.faults),
            "words_of_session": self.words_of_session,
        }


def new_turn(
    profile: Profile, session: int, number: int, *, onset: int, open_sessions: int, eagerness: str | None = None
) -> Turn:
    """The turn that begins at position `onset`; `eagerness` where meaning decides that it has ended."""
    rng = random.Random(f"{profile.seed}/{session}/{number}")
    plan = _plan(profile, rng, open_sessions)
    if eagerness is not None:
        own = random.Random(f"{profile.seed}/{session}/{number}/semantic")
        plan = plan.ended_after(profile.semantic.of(eagerness).draw_ms(own, open_sessions))
    faults = turn_faults(profile.faults, profile.seed, session, number)
    tools = tool_plan(profile.tools, profile.seed, session, number, faults, open_sessions=open_sessions)
    return Turn(number, rng, plan, faults, tools, onset=onset)


def greeting(profile: Profile, session: int, *, open_sessions: int) -> Turn:
    """The turn of a reply without caller speech; no fault applies to it."""
    rng = random.Random(f"{profile.seed}/{session}/greeting")
    return Turn(-1, rng, _plan(profile, rng, open_sessions))


def unasked_greeting(profile: Profile, session: int, *, open_sessions: int) -> tuple[float, Turn] | None:
    """How long after its configuration session `session` is greeted, in ms, and with what; None when it is not."""
    own = profile.greeting
    rng = random.Random(f"{profile.seed}/{session}/unasked")
    if own is None or rng.random() >= own.share:
        return None
    after_ms = own.after.draw_ms(rng, open_sessions)
    plan = replace(_plan(profile, rng, open_sessions), text=own.text, reply_ms=own.length.draw_ms(rng, open_sessions))
    return after_ms, Turn(-1, rng, plan)


def _plan(profile: Profile, rng: random.Random, open_sessions: int) -> ReplyPlan:
    gap = profile.chunk_gap
    endpoint_ms = profile.endpointing.draw_ms(rng, open_sessions)
    first_token_ms = profile.first_token.draw_ms(rng, open_sessions)
    first_audio_ms = profile.first_audio.draw_ms(rng, open_sessions)
    return ReplyPlan(
        endpoint_ms=endpoint_ms,
        first_token_ms=first_token_ms,
        first_audio_ms=first_audio_ms,
        leading_silence_ms=profile.leading_silence.draw_ms(rng, open_sessions),
        reply_ms=profile.reply_length.draw_ms(rng, open_sessions),
        chunk_ms=profile.chunk,
        gaps_ms=(profile.chunk / profile.delivery_speed,)
        if gap is None
        else tuple(gap.draw_ms(rng, open_sessions) for _ in range(GAPS)),
        text=profile.reply,
    )
