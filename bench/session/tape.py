"""What a call sounds like, kept as it happens and put together when it is over.

In: what the caller says, and the audio of replies as it arrives. Out: a `CallSound`, which renders itself.
Trap: nothing is decoded or copied while the call goes on; to keep a reference to what was received anyway is all that a
recording costs in the loop that paces audio.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bench.audio.catalogue import Fixture
from bench.audio.playback import Player
from bench.audio.stereo import Piece, stereo
from bench.dialects.dialect import Dialect
from bench.facts.signals import AudioDelta

NS_PER_S = 1_000_000_000


@dataclass(frozen=True, slots=True)
class _Said:
    fixture: Fixture
    t0_ns: int
    duration_ns: int


@dataclass(slots=True)
class Tape:
    """Fills while a call goes on."""

    said: list[_Said] = field(default_factory=list)
    heard: dict[int, list[AudioDelta]] = field(default_factory=dict)
    """Audio by the number of its response, in order of arrival."""

    def say(self, fixture: Fixture, t0_ns: int, duration_ns: int) -> None:
        """The caller says `fixture` from `t0_ns` on."""
        self.said.append(_Said(fixture, t0_ns, duration_ns))

    def hear(self, response: int, delta: AudioDelta) -> None:
        """Audio of a reply has arrived."""
        self.heard.setdefault(response, []).append(delta)


@dataclass(frozen=True, slots=True)
class CallSound:
    """A call that is over, ready to be rendered: in a thread, since it takes some milliseconds for each minute."""

    tape: Tape
    dialect: Dialect
    players: dict[int, Player]
    """How each response was heard."""
    begin_ns: int
    end_ns: int

    @property
    def rate_hz(self) -> int:
        return self.dialect.output_format.rate_hz

    def render(self) -> NDArray[np.int16]:
        """The caller on the left and the agent on the right, samples of shape (n, 2) at `rate_hz`."""
        return stereo(
            [self._caller(each) for each in self.tape.said],
            [piece for response, deltas in self.tape.heard.items() for piece in self._agent(response, deltas)],
            begin_ns=self.begin_ns,
            end_ns=self.end_ns,
            rate_hz=self.rate_hz,
        )

    def _caller(self, said: _Said) -> Piece:
        pcm = said.fixture.load_pcm(self.rate_hz)
        return Piece(said.t0_ns, pcm[: said.duration_ns * self.rate_hz // NS_PER_S])

    def _agent(self, response: int, deltas: list[AudioDelta]) -> list[Piece]:
        player = self.players.get(response)
        if player is None:
            return []
        samples = sound_of(deltas, self.dialect)
        return [Piece(at_ns, samples[first:last]) for at_ns, first, last in player.stretches]


def sound_of(deltas: Iterable[AudioDelta], dialect: Dialect) -> NDArray[np.int16]:
    """The samples of a response, in order of arrival; what is no audio is left out."""
    width = 2 if dialect.output_format.encoding == "pcm16" else 1
    raw = b"".join(_bytes(delta, dialect) for delta in deltas)
    return dialect.output_format.decode(raw[: len(raw) // width * width])


def _bytes(delta: AudioDelta, dialect: Dialect) -> bytes:
    try:
        return dialect.audio_bytes(delta)
    except ValueError:
        return b""
