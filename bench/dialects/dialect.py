"""What every wire protocol must offer a call: intents in, frames out; messages in, signals out.

A dialect is sans-I/O: it never opens a socket, sleeps or reads a clock, so it is tested from a recorded
transcript at full speed. It declares its own audio rates and whether an end of the caller's turn has to be
committed. Trap: some dialects have no commit, no usage or no end of audio; a session relies on signals only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from bench.audio.formats import AudioFormat
from bench.facts.signals import AudioDelta, ErrorInfo, Signal

if TYPE_CHECKING:
    from bench.dialects.session_config import SessionConfig


@dataclass(frozen=True, slots=True)
class Address:
    """Whom a scenario wants to call, with secrets filled in: never printed, logged or stored."""

    url: str
    model: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    query: Mapping[str, str] = field(default_factory=dict, repr=False)
    subprotocols: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where and how to open the socket; `headers` may hold a secret and are never printed."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    subprotocols: tuple[str, ...] = ()


class Dialect(Protocol):
    """One conversation's view of a protocol; holds the state of one session, so each call makes its own."""

    name: ClassVar[str]
    voices: ClassVar[tuple[str, ...]]
    """Voices that a scenario may give as a plain word."""

    @classmethod
    def endpoint(cls, address: Address) -> Endpoint:
        """Where a call to `address` goes under this protocol."""

    def __init__(self, config: SessionConfig, model: str | None = None) -> None: ...

    input_format: AudioFormat
    output_format: AudioFormat
    manual: bool
    """The caller says when a turn ends (push to talk); otherwise the server detects it."""
    expects_audio: bool

    def opening(self) -> Sequence[str]:
        """Messages to send as soon as the socket is open: the configuration."""

    def receive(self, data: str | bytes, at_ns: int) -> Sequence[Signal]:
        """The signals in one message that arrived at `at_ns`; never raises on what a server may send."""

    def audio_message(self, payload: bytes) -> str:
        """The message that carries one frame of caller audio; depends on `payload` alone, so it can be shared."""

    def end_of_turn(self, turn: int) -> Sequence[str]:
        """Messages that close the caller's turn `turn` and ask for a reply; empty where the server decides."""

    def refuses_turn(self, error: ErrorInfo, turn: int) -> bool:
        """Whether `error` is the server's refusal of what `end_of_turn(turn)` asked for."""

    def refuses_session(self, error: ErrorInfo) -> bool:
        """Whether `error` is the server's refusal of the configuration."""

    def decode_audio(self, delta: AudioDelta) -> NDArray[np.int16]:
        """The samples of `delta`, in order of arrival; raises `ValueError` when they are not audio."""
