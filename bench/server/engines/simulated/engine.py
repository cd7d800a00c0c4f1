"""The simulated engine: what all calls of one server process share.

In: a profile. Out: a recogniser for its catalogue, the allowance, the clock of deadlines, the truth log, and calls.
Trap: session numbers decide draws and faults; with several processes each counts in steps of their number, so no two
sessions of one server are alike.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from bench.audio.catalogue import load_catalogue
from bench.measure.wer import prepare
from bench.scenario.model import shipped_catalogue
from bench.server.access import Grant
from bench.server.deadlines import Deadlines
from bench.server.engines.simulated.allowance import Allowance
from bench.server.engines.simulated.call import Call, Wire
from bench.server.engines.simulated.faults import Struck
from bench.server.engines.simulated.hearing import SimulatedInput
from bench.server.engines.simulated.profile import Profile
from bench.server.engines.simulated.recognise import Recogniser
from bench.server.protocol import config
from bench.server.protocol.session import Session
from bench.server.truth import TruthLog


@dataclass(frozen=True, slots=True)
class Share:
    """Which of how many processes this is."""

    process: int = 0
    processes: int = 1


class SimulatedEngine:
    """Made before the loop runs (recordings are read); `start` inside of it."""

    name = "simulated"

    def __init__(self, profile: Profile, *, truth_log: Path | None, share: Share, session_lifetime_s: float) -> None:
        self.profile = profile
        self.default_model = profile.model
        catalogue = load_catalogue(profile.catalogue or shipped_catalogue())
        languages = {fixture.language for fixture in catalogue.fixtures.values()}
        for language in languages:
            prepare(language)
        self.recogniser = Recogniser(catalogue.fixtures.values(), confidence=profile.recognition.confidence)
        limits = profile.limits
        self.allowance = Allowance(limits.requests_per_min, limits.tokens_per_min, limits.reserve_tokens)
        settings = {"profile": profile.model_dump(mode="json"), "process": share.process, "processes": share.processes}
        self.truth = TruthLog(truth_log, engine=self.name, settings=settings)
        self.lifetime_s = (limits.session_lifetime or session_lifetime_s * 1000) / 1000
        self.open_sessions = 0
        self._share = share
        self._accepted = 0
        self._deadlines: Deadlines | None = None

    @property
    def deadlines(self) -> Deadlines:
        if self._deadlines is None:
            raise RuntimeError("the engine was not started")
        return self._deadlines

    def start(self) -> None:
        self._deadlines = Deadlines()

    def stop(self) -> None:
        self.truth.close()
        if self._deadlines is not None:
            self._deadlines.close()

    def next_number(self) -> int:
        """The number of a session that is about to be accepted."""
        number = self._share.process + self._accepted * self._share.processes
        self._accepted += 1
        return number

    def call(self, wire: Wire, grant: Grant, model: str | None, *, number: int, struck: Struck, peer: str) -> Call:
        """A session over an accepted connection."""
        settings = grant.settings
        name = model or (settings or {}).get("model") or self.default_model
        made: list[SimulatedInput] = []

        def hearing(audio_format: Any, detection: Any) -> SimulatedInput:
            made.append(SimulatedInput(audio_format, detection, ask_ms=self.profile.recognition.silence))
            return made[-1]

        held: list[Call] = []
        session = Session(
            model=name,
            created_at_s=int(time.time()),
            settings={**settings, "model": name} if settings is not None else config.default_session(name),
            lifetime_s=max(1, round(self.lifetime_s)),
            rate_limits=partial(_settle, held),
            input_audio=hearing,
            retained_audio_bytes=0,
        )
        call = Call(self, wire, session, made[-1], number=number, struck=struck, lifetime_s=self.lifetime_s)
        held.append(call)
        self.truth.session(
            session.id, at_ns=time.monotonic_ns(), peer=peer, number=number, model=name, faults=struck.kinds
        )
        return call

    def health(self) -> dict[str, Any]:
        return {"profile": self.profile.name, "process": self._share.process, "processes": self._share.processes}


def _settle(held: list[Call], tokens: int) -> list[dict[str, Any]]:
    return held[0].settle(tokens)
