"""How the server reacts to a caller who makes a sound while a reply is sent or heard: at once, late, by mistake or not.

In: the profile, the numbers of session and turn, the newest reply. Out: a `SpokenInto` with everything drawn for it.
Trap: nobody can know how long a sound will be. Where short ones are let pass, speech is noticed only once it has lasted
that long.
"""

from __future__ import annotations

import random
import time
from dataclasses import dataclass

from bench.server.engines.simulated.profile import Profile
from bench.server.engines.simulated.scheduled_reply import ScheduledReply

AGAIN_MS = 20
"""How often it is looked whether a sound has lasted long enough."""


@dataclass(slots=True)
class SpokenInto:
    """The reply that a turn was spoken into, and what the server makes of that."""

    response_id: str
    onset_ns: int
    """Of the sound, as the level detector has it, on the clock of arrivals."""
    reaction_ms: float
    shortest_ms: int
    mistaken: bool
    """However short it is, it will be taken for speech."""
    noticed_ns: int | None = None
    """When `speech_started` was sent."""
    ignored: bool = False
    """It was too short to be a turn."""

    def lasted(self, speech_ms: float) -> bool:
        """Whether a sound that has lasted `speech_ms` is taken for speech."""
        return self.mistaken or speech_ms >= self.shortest_ms


def spoken_into(
    profile: Profile,
    session: int,
    number: int,
    reply: ScheduledReply | None,
    *,
    onset_ns: int,
    sending: bool,
    open_sessions: int,
) -> SpokenInto | None:
    """What is drawn for turn `number`, which begins while `reply` is sent (`sending`) or heard; None without either."""
    if reply is None or not (sending or reply.heard_until_ns > time.monotonic_ns()):
        return None
    rng = random.Random(f"{profile.seed}/{session}/{number}/reaction")
    own = profile.barge_in
    reaction_ms = own.reaction.draw_ms(rng, open_sessions)
    return SpokenInto(reply.response_id, onset_ns, reaction_ms, own.shortest, rng.random() < own.false_stops)
