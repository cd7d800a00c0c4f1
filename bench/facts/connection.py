"""When the transport of a call came up, stage by stage."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Connection:
    """When the wire came up, monotonic ns. `intended_ns` is the planned start that every wait is charged from."""

    intended_ns: int
    started_ns: int | None = None
    resolved_ns: int | None = None
    tcp_ns: int | None = None
    tls_ns: int | None = None
    upgraded_ns: int | None = None
    ready_ns: int | None = None
    closed_ns: int | None = None
    kernel_stamps: bool = False
    peer: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
