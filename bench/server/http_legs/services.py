"""What the HTTP side asks of an engine: pieces of an answer, each at the moment when it is to be sent.

An engine has one method for each service; they are generators, which are closed when the client hangs up.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from bench.server.deadlines import Deadlines
from bench.server.engines.base import FunctionCall
from bench.server.http_legs.requests import ChatRequest, SpeechRequest, TranscriptionRequest

SPEECH_RATE_HZ = 24_000
"""Of the PCM that is sent, as the vendor's."""


@dataclass(slots=True)
class Asked:
    """One request as its engine sees it; what the engine notes goes into the truth log."""

    number: int
    """Counted from 0 for each service."""
    arrived_ns: int
    hold_until: Callable[[int], None]
    """What is yielded from now on is written at that monotonic instant and not before."""
    facts: dict[str, Any] = field(default_factory=dict)
    usage: bool = True
    """Whether the answer says what was used."""


class RefusedError(Exception):
    """The request is answered with an error."""

    def __init__(
        self, status: int, message: str, kind: str = "server_error", code: str | None = None, **extra: str
    ) -> None:
        super().__init__(message)
        self.status, self.kind, self.code = status, kind, code
        self.extra: Mapping[str, str] = {name.replace("_", "-"): value for name, value in extra.items()}


class CutError(Exception):
    """The connection is to break off."""


@dataclass(frozen=True, slots=True)
class Raw:
    """Bytes that are sent as they are, whatever the protocol says."""

    data: bytes


class Services(Protocol):
    """An engine behind the three services."""

    name: str
    models: Mapping[str, str]
    """The model of each service, by `stt`, `llm` and `tts`."""
    settings: Mapping[str, Any]
    """For the first line of the truth log."""

    async def start(self, deadlines: Deadlines) -> None:
        """Make ready; the server listens only afterwards. `deadlines` are the server's. Raises `EngineError`."""

    async def stop(self) -> None:
        """End all work and every process; bounded in time."""

    def transcribe(self, request: TranscriptionRequest, asked: Asked) -> AsyncGenerator[str | Raw, None]:
        """The words of the recording; joined they are the transcript."""

    def chat(self, request: ChatRequest, asked: Asked) -> AsyncGenerator[str | FunctionCall | Raw, None]:
        """The answer to the newest message: words, and calls of the client's functions."""

    def speak(self, request: SpeechRequest, asked: Asked) -> AsyncGenerator[bytes | Raw, None]:
        """PCM16 (little-endian, mono) at `SPEECH_RATE_HZ`."""
