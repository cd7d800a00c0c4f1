"""Requests and tokens per minute, as the vendor counts them: refused when used up, reserved before they are used.

In: what a response may need at most, later what it did need. Out: whether it may run, and the `rate_limits` array.
Trap: the reservation (`max_output_tokens`) is what empties the bucket under load; what was not used comes back only
when the response has ended.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

WINDOW_S = 60.0


class Bucket:
    """An allowance of `limit` per minute, refilled continuously; None is without limit."""

    __slots__ = ("_at_s", "_clock", "_left", "limit")

    def __init__(self, limit: int | None, clock: Callable[[], float]) -> None:
        self.limit = limit
        self._clock = clock
        self._left = float(limit or 0)
        self._at_s = clock()

    def take(self, amount: float) -> bool:
        """Take all of `amount` or nothing."""
        if self.limit is None:
            return True
        self._refill()
        if amount > self._left:
            return False
        self._left -= amount
        return True

    def settle(self, amount: float) -> None:
        """Give back (or, negative, take without asking)."""
        if self.limit is not None:
            self._refill()
            self._left = min(float(self.limit), self._left + amount)

    def shown(self, name: str, otherwise: int) -> dict[str, Any]:
        limit = self.limit if self.limit is not None else otherwise
        if self.limit is None:
            return {"name": name, "limit": limit, "remaining": limit, "reset_seconds": 0.0}
        self._refill()
        reset_s = round((limit - self._left) * WINDOW_S / limit, 3)
        return {"name": name, "limit": limit, "remaining": max(0, int(self._left)), "reset_seconds": reset_s}

    def wait_s(self, amount: float) -> float:
        """How long until `amount` could be taken."""
        if self.limit is None:
            return 0.0
        self._refill()
        return max(0.0, (min(amount, self.limit) - self._left) * WINDOW_S / self.limit)

    def _refill(self) -> None:
        now_s = self._clock()
        self._left = min(float(self.limit or 0), self._left + (now_s - self._at_s) * (self.limit or 0) / WINDOW_S)
        self._at_s = now_s


class Allowance:
    """What all sessions of a process share."""

    def __init__(
        self,
        requests_per_min: int | None,
        tokens_per_min: int | None,
        reserve_tokens: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._requests = Bucket(requests_per_min, clock)
        self._tokens = Bucket(tokens_per_min, clock)
        self._reserve_tokens = reserve_tokens

    def reserve(self, max_output_tokens: int | None) -> tuple[int, str | None]:
        """Tokens now set aside for a response, and, when it may not run, which limit forbids it and for how long."""
        reserved = max_output_tokens if max_output_tokens is not None else self._reserve_tokens
        if self._requests.wait_s(1) > 0:
            return 0, _refusal("requests", self._requests.limit, self._requests.wait_s(1))
        if not self._tokens.take(reserved):
            return 0, _refusal("tokens", self._tokens.limit, self._tokens.wait_s(reserved))
        self._requests.take(1)
        return reserved, None

    def settle(self, reserved: int, used: int) -> list[dict[str, Any]]:
        """A response has ended: its reservation becomes what it used. The array for `rate_limits.updated`."""
        self._tokens.settle(reserved - used)
        return [self._requests.shown("requests", 20_000), self._tokens.shown("tokens", 15_000_000)]


def _refusal(name: str, limit: int | None, wait_s: float) -> str:
    return f"Rate limit reached on {name} per min: limit {limit}. Please try again in {wait_s:.3f}s."
