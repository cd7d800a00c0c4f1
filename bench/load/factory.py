"""From a scenario and a session's index to the plan of one call.

In: the scenario, its target with secrets resolved, the fixture catalogue. Out: `CallPlan`s, each a pure function of
the session index and the seed, so that any worker makes the same call. Everything that is slow (reading audio,
encoding frames) happens in `prepare`, before the first call.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from bench.audio.catalogue import Fixture, load_catalogue, shipped_sounds
from bench.config.redactor import Redactor
from bench.dialects import dialect_of
from bench.dialects.dialect import Dialect
from bench.dialects.session_config import SessionConfig
from bench.facts.phases import MAIN, Phases
from bench.facts.timeline import Labels
from bench.load.voices import Voices
from bench.scenario.conditions import Cell, cell_number
from bench.scenario.draws import Draws
from bench.scenario.interleaving import block_of, target_of
from bench.scenario.model import Scenario
from bench.scenario.target import Target
from bench.session.call import CallPlan, pack_audio
from bench.session.frames import FrameBank
from bench.session.steps import step_of
from bench.session.tokens import TokenPolicy, Tokens
from bench.session.tools import Toolbox
from bench.session.tracker import Bounds
from bench.transport import transport_for
from bench.transport.channel import ConnectOptions
from bench.transport.dial import usable

NS_PER_MS = 1_000_000


@dataclass(frozen=True, slots=True)
class RunIdentity:
    """What every row of this worker carries."""

    run_id: str
    worker: str


def fixtures_of(scenario: Scenario) -> dict[str, Fixture]:
    """Every fixture that the conversation may speak, by id. Raises `BenchError` for one that is missing."""
    catalogue = load_catalogue(scenario.fixtures)
    found = {fixture_id: catalogue.get(fixture_id) for fixture_id in scenario.fixture_ids}
    if scenario.sound_ids:
        sounds = load_catalogue(shipped_sounds()).fixtures
        own = catalogue.fixtures
        found |= {name: own[name] if name in own else sounds[name] for name in scenario.sound_ids}
    return found


def draws_of(seed: int, index: int) -> Draws:
    """The random numbers of the call with run-wide number `index`."""
    return Draws(seed, index)


class CallFactory:
    """Makes the calls of one worker."""

    def __init__(
        self,
        scenario: Scenario,
        target: Target,
        identity: RunIdentity,
        env: Mapping[str, str] = os.environ,
        *,
        among: int = 1,
    ) -> None:
        """`among`: how many targets the calls of the run are dealt out to."""
        self._scenario = scenario
        self._target = target
        self._among = among
        self._identity = identity
        self._speaks = dialect_of(target.dialect)
        session = scenario.session
        address = replace(target.address(env, scenario.base), transcribes=session.transcribes)
        endpoint = self._speaks.endpoint(address)
        timeouts = scenario.timeouts
        self._connect = ConnectOptions(
            url=endpoint.url,
            headers=endpoint.headers,
            subprotocols=endpoint.subprotocols,
            connect_timeout_s=timeouts.connect_ms / 1000,
            ca_file=str(target.ca_file) if target.ca_file else None,
            verify_tls=target.verify_tls,
            quickack=scenario.transport.quickack,
            max_message_bytes=scenario.transport.max_message_bytes,
            redactor=Redactor.of_request(
                endpoint.url, endpoint.headers, endpoint.subprotocols, target.secrets(env, scenario.base)
            ),
        )
        auth = target.auth
        self._tokens = (
            Tokens(
                self._speaks,
                address,
                self._connect,
                TokenPolicy(auth.lifetime_ms // 1000, auth.reuse, auth.renew_ms / 1000, auth.url),
            )
            if auth is not None
            else None
        )
        self._bounds = Bounds(
            ready_ns=timeouts.ready_ms * NS_PER_MS,
            reply_ns=timeouts.reply_ms * NS_PER_MS,
            response_ns=timeouts.response_ms * NS_PER_MS,
            transcription_ns=timeouts.transcription_ms * NS_PER_MS,
            close_ns=timeouts.close_ms * NS_PER_MS,
            playback_ns=timeouts.playback_ms * NS_PER_MS,
        )
        self._transport = transport_for(endpoint.url)
        detection = scenario.session.turn_detection
        packer = self.dialect()
        self._cells = scenario.cells
        self._voices = Voices(scenario, fixtures_of(scenario))
        self._release_ms = detection.release_ms if detection.type == "manual" else None
        self._pack = partial(pack_audio, self._transport, packer)
        tools = scenario.session.tools
        self._toolbox = Toolbox(tools, base=scenario.base) if tools else None
        self._banks: dict[tuple[int, str | None], FrameBank] = {}

    def prepare(self) -> None:
        """Encode every utterance.

        Raises `BenchError` when a recording is missing or not what was annotated, or no call can be made with the
        settings.
        """
        usable(self._connect)
        audio_format = self.dialect().input_format
        for cell in self._cells or (None,):
            bank = self._bank(cell)
            if self._release_ms is None:
                bank.idle(audio_format)
            for fixture in self._voices.all([cell] if cell else []):
                bank.utterance(fixture, audio_format)

    def dialect(self) -> Dialect:
        """A fresh protocol state for one call."""
        return self._speaks(self._scenario.session, self._target.model)

    def _bank(self, cell: Cell | None) -> FrameBank:
        """Utterances in the frame size of the cell, and what its microphone hears between them."""
        frame_ms = (cell.frame_ms if cell else None) or self._scenario.session.frame_ms
        idle = self._voices.idle(cell)
        key = (frame_ms, idle.seed if idle else None)
        if key not in self._banks:
            self._banks[key] = FrameBank(
                frame_ms=frame_ms,
                pack=self._pack,
                release_ms=self._release_ms,
                idle=idle,
                word_times=self._scenario.session.transcribes,
            )
        return self._banks[key]

    def _cell(self, index: int) -> Cell | None:
        cells = self._cells
        return cells[cell_number(index, len(cells), self._scenario.seed)] if cells else None

    def plan(self, index: int, *, caller: int, intended_ns: int, phases: Phases = MAIN) -> CallPlan:
        """The call with run-wide number `index`, meant to start at `intended_ns`; `phases` are those of the run."""
        phase = phases.at(intended_ns)
        scenario = self._scenario
        cell = self._cell(block_of(index, self._among))
        draw = draws_of(scenario.seed, block_of(index, self._among))
        transcription = scenario.session.transcription
        labels = Labels(
            run_id=self._identity.run_id,
            worker=self._identity.worker,
            session_id=f"{self._identity.run_id}/{index:06d}",
            session_index=index,
            caller=caller,
            scenario=scenario.name,
            target=scenario.target_names[0],
            provider=self._target.provider_name,
            model=self._target.model or _transcriber(scenario.session),
            dialect=self._target.dialect,
            transport=self._connect.url.partition(":")[0],
            phase=phase.name,
            warmup=phase.warmup,
            cell=cell.name if cell else None,
        )
        return CallPlan(
            labels=labels,
            phases=phases,
            intended_ns=intended_ns,
            steps=[
                step_of(place, block, self._voices.of(block, cell), draw)
                for place, block in enumerate(scenario.conversation)
            ],
            step_ids=[getattr(block, "id", None) for block in scenario.conversation],
            transport=self._transport,
            connect=self._connect,
            frames=self._bank(cell),
            bounds=self._bounds,
            jitter_buffer_ms=scenario.listener.jitter_buffer_ms,
            client_late_ms=scenario.health.client_late_ms,
            transcription_model=transcription.model if transcription is not None and self._speaks.transcribes else None,
            toolbox=self._toolbox,
            tool_seed=f"{scenario.seed}:{block_of(index, self._among)}",
            tokens=self._tokens,
            record=scenario.record is not None and scenario.record.keeps(scenario.seed, index),
        )


def _transcriber(session: SessionConfig) -> str | None:
    """The model of a session that only writes down; None for others."""
    return session.transcription.model if session.transcribes and session.transcription is not None else None


class CallFactories:
    """The factories of all targets of a run, by the number of the call."""

    def __init__(self, seed: int, factories: Sequence[CallFactory]) -> None:
        self._seed = seed
        self._factories = factories

    def place_of(self, index: int) -> int:
        """The place of the target that call `index` goes to."""
        return target_of(self._seed, index, len(self._factories))

    def of(self, index: int) -> CallFactory:
        """The factory of the target that call `index` goes to."""
        return self._factories[self.place_of(index)]

    def prepare(self) -> None:
        """Encode every utterance for every target. Raises `BenchError` as the factories do."""
        for factory in self._factories:
            factory.prepare()

    def __len__(self) -> int:
        return len(self._factories)
