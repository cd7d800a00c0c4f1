"""When the transport of a call came up, stage by stage."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Literal

TokenUse = Literal["new", "kept"]
"""`new`: asked for by this call, or while it waited; `kept`: an earlier call had asked for it."""


@dataclass(slots=True)
class Connection:
    """Stamps in monotonic ns. `intended_ns` is the planned start that every wait is charged from.

    `stages` holds when each stage of the transport was done, in order; the names are the transport's own (a WebSocket
    has `dns`, `tcp`, `tls`, `upgrade`); before them is `token` where a short-lived key was asked for. `open_ns`:
    messages can be sent. `ready_ns`: the session is configured.
    """

    intended_ns: int
    started_ns: int | None = None
    stages: dict[str, int] = field(default_factory=dict)
    open_ns: int | None = None
    ready_ns: int | None = None
    closed_ns: int | None = None
    kernel_stamps: bool = False
    peer: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    token: TokenUse | None = None
    """How the call came by its short-lived key; None without one."""

    def done(self, stage: str) -> None:
        """Note that `stage` is done now."""
        self.stages[stage] = time.monotonic_ns()

    def stage_ms(self, stage: str) -> float | None:
        """Length of `stage`: since the stage before it, or since the start; None when it was not passed."""
        before_ns = self.started_ns
        for name, at_ns in self.stages.items():
            if name == stage:
                return None if before_ns is None else (at_ns - before_ns) / 1e6
            before_ns = at_ns
        return None
