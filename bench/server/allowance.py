"""Requests and tokens per minute, as the vendor counts them: refused when used up, reserved before they are used.

In: what a response may need at most, later what it did need. Out: whether it may run, and the `rate_limits` array.
Trap: the reservation (`max_output_tokens`) is what empties the bucket under load; what was not used comes back only
when the response has ended.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

WINDOW_S = 60.0


class Bucket:
    """An allowance of `limit` per minute, refilled continuously; None is without limit."""

    def __init__(self, limit: int | None, clock: Callable[[], float]) -> None:
        self.limit = limit
        self._rate = math.inf if limit is None else limit / WINDOW_S
        self._clock = clock
        self._left = self._full = math.inf if limit is None else float(limit)
        self._at_s = clock()

    def take(self, amount: float) -> bool:
        """Take all of `amount` or nothing."""
        self.settle(0)
        if amount > self._left:
            return False
        self._left -= amount
        return True

    def settle(self, amount: float) -> None:
        """Give back (or, negative, take without asking)."""
        now_s = self._clock()
        refilled = self._left + (now_s - self._at_s) * self._rate if self.limit is not None else math.inf
        self._left = min(self._full, min(self._full, refilled) + amount)
        self._at_s = now_s

    def shown(self, name: str, otherwise: int) -> dict[str, Any]:
        """For `rate_limits.updated`; without a limit, `otherwise` of which nothing is ever used."""
        self.settle(0)
        limit = self.limit if self.limit is not None else otherwise
        left = min(float(limit), self._left)
        reset_s = round((limit - left) * WINDOW_S / limit, 3)
        return {"name": name, "limit": limit, "remaining": max(0, int(left)), "reset_seconds": reset_s}

    def wait_s(self, amount: float) -> float:
        """How long until `amount` could be taken."""
        self.settle(0)
        return max(0.0, (min(amount, self._full) - self._left) / self._rate)


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
