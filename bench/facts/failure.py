"""Why something failed: one word of the outcome taxonomy, the stage, and the fields that say so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ErrorKind = Literal[
    "connect",
    "tls",
    "auth",
    "handshake",
    "rate_limit",
    "quota",
    "server",
    "timeout",
    "protocol",
    "closed",
    "cross_talk",
    "tool",
    "harness",
]
Stage = Literal["token", "connect", "upgrade", "ready", "turn", "transcription", "close"]


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a session ended early, typed; built from fields of exceptions and events, never from message text."""

    error_kind: ErrorKind
    stage: Stage
    error_code: str | None = None
    message: str | None = None
    close_code: int | None = None
    close_reason: str | None = None
    http_status: int | None = None
