"""From a scenario and a session's index to the plan of one call.

In: the scenario, its target with secrets resolved, the fixture catalogue. Out: `CallPlan`s, each a pure function of
the session index and the seed, so that any worker makes the same call. Everything that is slow (reading audio,
encoding frames) happens in `prepare`, before the first call.
"""

from __future__ import annotations

import os
import random
from collections.abc import Mapping
from dataclasses import dataclass

from bench.audio.catalogue import Fixture, load_catalogue
from bench.audio.formats import AudioFormat
from bench.dialects import dialect_of
from bench.dialects.dialect import Dialect
from bench.facts.timeline import Labels
from bench.scenario.model import Scenario
from bench.scenario.steps import Pause, Say
from bench.scenario.target import Target
from bench.session.call import CallPlan, Speak, Wait
from bench.session.frames import FrameBank
from bench.transport.channel import ConnectOptions
from bench.transport.websocket import encode_frame


@dataclass(frozen=True, slots=True)
class RunIdentity:
    """What every row of this worker carries."""

    run_id: str
    worker: str


def fixtures_of(scenario: Scenario) -> dict[str, Fixture]:
    """Every fixture that the conversation may speak, by id. Raises `BenchError` for one that is missing."""
    catalogue = load_catalogue(scenario.fixtures)
    wanted = [fixture for step in scenario.conversation if isinstance(step, Say) for fixture in step.say]
    return {fixture: catalogue.get(fixture) for fixture in wanted}


class CallFactory:
    """Makes the calls of one worker."""

    def __init__(
        self, scenario: Scenario, target: Target, identity: RunIdentity, env: Mapping[str, str] = os.environ
    ) -> None:
        self._scenario = scenario
        self._target = target
        self._identity = identity
        self._speaks = dialect_of(target.dialect)
        place = self._speaks.endpoint(target.address(env, scenario.base))
        timeouts = scenario.timeouts
        self._connect = ConnectOptions(
            url=place.url,
            headers=place.headers,
            subprotocols=place.subprotocols,
            connect_timeout_s=timeouts.connect_ms / 1000,
            ca_file=str(target.ca_file) if target.ca_file else None,
            verify_tls=target.verify_tls,
        )
        detection = scenario.session.turn_detection
        self._bank = FrameBank(
            audio_format=AudioFormat(scenario.session.input_format),
            frame_ms=scenario.session.frame_ms,
            message=self.dialect().audio_message,
            wire=encode_frame,
            release_ms=detection.release_ms if detection.type == "manual" else None,
        )
        self._fixtures = fixtures_of(scenario)

    def prepare(self) -> None:
        """Encode every utterance. Raises `BenchError` when a recording is missing or not what was annotated."""
        for fixture in self._fixtures.values():
            self._bank.utterance(fixture)

    def dialect(self) -> Dialect:
        """A fresh protocol state for one call."""
        return self._speaks(self._scenario.session, self._target.model)

    def plan(self, index: int, *, caller: int, intended_ns: int, warmup: bool) -> CallPlan:
        """The call with run-wide number `index`, meant to start at `intended_ns`."""
        scenario, timeouts = self._scenario, self._scenario.timeouts
        draw = random.Random(f"{scenario.seed}:{index}")
        steps: list[Speak | Wait] = []
        for place, step in enumerate(scenario.conversation):
            if isinstance(step, Say):
                steps.append(Speak(place, self._bank.utterance(self._fixtures[step.draw(draw)])))
            elif isinstance(step, Pause):
                steps.append(Wait(step.pause_ms))
        transcription = scenario.session.transcription
        labels = Labels(
            run_id=self._identity.run_id,
            worker=self._identity.worker,
            session_id=f"{self._identity.run_id}/{index:06d}",
            session_index=index,
            caller=caller,
            scenario=scenario.name,
            provider=self._target.provider_name,
            model=self._target.model,
            dialect=self._target.dialect,
            transport=self._connect.url.partition(":")[0],
            phase="warmup" if warmup else "main",
            warmup=warmup,
        )
        return CallPlan(
            labels=labels,
            intended_ns=intended_ns,
            steps=steps,
            connect=self._connect,
            bank=self._bank,
            jitter_buffer_ms=scenario.listener.jitter_buffer_ms,
            client_late_ms=scenario.health.client_late_ms,
            transcription_model=transcription.model if transcription is not None else None,
            ready_timeout_s=timeouts.ready_ms / 1000,
            reply_timeout_s=timeouts.reply_ms / 1000,
            response_timeout_s=timeouts.response_ms / 1000,
            transcription_timeout_s=timeouts.transcription_ms / 1000,
            close_timeout_s=timeouts.close_ms / 1000,
        )
