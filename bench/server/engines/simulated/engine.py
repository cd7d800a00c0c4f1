"""The simulated engine: what all calls of one server process share.

In: a profile. Out: sessions that answer as it says, with a matcher for its catalogue and one allowance.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bench.audio.catalogue import load_catalogue
from bench.audio.recording_matcher import RecordingMatcher
from bench.scenario.model import shipped_catalogue
from bench.server.allowance import Allowance
from bench.server.engines.base import Handler
from bench.server.engines.simulated.profile import Profile
from bench.server.engines.simulated.simulated_session import Shared, SimulatedSession
from bench.server.engines.simulated.word_errors import normalised


class SimulatedEngine:
    """Made before the loop runs, because recordings are read."""

    name = "simulated"

    def __init__(self, profile: Profile, *, process: int = 0, processes: int = 1) -> None:
        self.profile = profile
        self.default_model = profile.model
        limits = profile.limits
        self.session_lifetime_s = limits.session_lifetime / 1000 if limits.session_lifetime is not None else None
        self._process = {"process": process, "processes": processes}
        self.settings: Mapping[str, Any] = {"profile": profile.model_dump(mode="json"), **self._process}
        fixtures = load_catalogue(profile.catalogue or shipped_catalogue()).fixtures.values()
        for fixture in fixtures:
            normalised(fixture.text, fixture.language)  # no turn of a call is to wait for it
        self._shared = Shared(
            profile,
            RecordingMatcher(fixtures, confidence=profile.recognition.confidence),
            Allowance(limits.requests_per_min, limits.tokens_per_min, limits.reserve_tokens),
        )

    @property
    def open_sessions(self) -> int:
        return self._shared.open_sessions

    async def start(self) -> None:
        """Everything was read before."""

    async def stop(self) -> None:
        """Nothing runs beside the sessions."""

    def session(self, handler: Handler, number: int) -> SimulatedSession:
        return SimulatedSession(self._shared, handler, number)

    def health(self) -> dict[str, Any]:
        return {"profile": self.profile.name, **self._process}
