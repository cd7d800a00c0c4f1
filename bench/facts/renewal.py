"""That a call went on in a new session, and why.

In: the session, which renews at a turn boundary. Out: a fact that a `Timeline` keeps. Trap: the call is still one: its
turns, its costs and its length go on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from bench.facts.connection import Connection

RenewedBy = Literal["after", "expiry", "notice"]
"""What made it due: the age that the scenario names, the end that the server told at the beginning, or its notice that
the end is near."""


EXPIRED = "session_expired"
"""`error_code` of a call that the server ended because its session was too old."""


@dataclass(slots=True)
class Renewal:
    """One new session; `connection.intended_ns` is when the renewal began, at a turn boundary."""

    by: RenewedBy
    connection: Connection
    resumed: bool = False
    """The server goes on with the context of the session before."""
    retold: int = 0
    """Texts of earlier turns that the new session was told."""


def renewal_from_dict(data: Mapping[str, Any]) -> Renewal:
    """The inverse of `asdict` for a `Renewal`."""
    return Renewal(**{**data, "connection": Connection(**data["connection"])})
