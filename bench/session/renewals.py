"""When a session ends by the server's word, and when it is to be renewed before that. Sans-I/O.

In: the scenario's policy, what the server tells of the end, times. Out: the instant at which a renewal is due, and why;
whether an end of the connection is the one that was told. Trap: a server tells its end by its own clock; an end that
lies in the past, or beyond a day, says nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from bench.dialects.session_renewal import Renew
from bench.facts.renewal import RenewedBy
from bench.facts.signals import SessionEnds

NS_PER_MS = 1_000_000
_LONGEST_NS = 24 * 3600 * 1_000_000_000
_GRACE_NS = 2_000_000_000
"""An end may come so long before the instant that was told: servers tell whole seconds, and clocks differ."""


@dataclass(frozen=True, slots=True)
class Due:
    """A renewal that is due at `at_ns` (monotonic)."""

    at_ns: int
    by: RenewedBy


class Renewals:
    """The end of one call's session, as far as it is known."""

    def __init__(self, policy: Renew | None) -> None:
        self._policy = policy
        self._ready_ns: int | None = None
        self._ends_ns: int | None = None
        self._notified = False

    def begin(self) -> None:
        """A new session is opened: what was known is of the one before."""
        self._ready_ns = self._ends_ns = None
        self._notified = False

    def ready(self, at_ns: int) -> None:
        """The session is configured."""
        self._ready_ns = self._ready_ns or at_ns

    def told(self, signal: SessionEnds, *, wall_s: float, now_ns: int) -> None:
        """The server told when it will end the session; `wall_s` is the time of day at `now_ns`."""
        if signal.in_ms is not None:
            self._ends_ns, self._notified = signal.at_ns + round(signal.in_ms * NS_PER_MS), True
        elif signal.at_unix_s is not None and not self._notified:
            left_ns = round((signal.at_unix_s - wall_s) * 1e9)
            if 0 < left_ns < _LONGEST_NS:
                self._ends_ns = now_ns + left_ns

    @property
    def due(self) -> Due | None:
        """When the session is to be renewed; None for never, or not known yet."""
        policy, found = self._policy, []
        if policy is None:
            return None
        if policy.after_ms is not None and self._ready_ns is not None:
            found.append(Due(self._ready_ns + policy.after_ms * NS_PER_MS, "after"))
        if policy.before_expiry_ms is not None and self._ends_ns is not None:
            by: RenewedBy = "notice" if self._notified else "expiry"
            at_ns = self._ends_ns - policy.before_expiry_ms * NS_PER_MS
            if self._ready_ns is not None:
                # A margin longer than the session's life would renew it again and again: not before half of it.
                at_ns = max(at_ns, (self._ready_ns + self._ends_ns) // 2)
            found.append(Due(at_ns, by))
        return min(found, key=lambda due: due.at_ns, default=None)

    def due_now(self, now_ns: int) -> Due | None:
        """`due`, once its time has come."""
        due = self.due
        return due if due is not None and now_ns >= due.at_ns else None

    def expired(self, closed_ns: int) -> bool:
        """Whether a connection that the server ended at `closed_ns` ended as it was told it would."""
        return self._ends_ns is not None and closed_ns >= self._ends_ns - _GRACE_NS
