"""Requests and tokens per minute, as the vendor counts them: refused when used up, reserved before they are used.

In: what a response may need at most, later what it did need. Out: whether it may run, the `rate_limits` array, and the
headers of a handshake.
Trap: the reservation (`max_output_tokens`) is what empties the bucket under load; what was not used comes back only
when the response has ended.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import Any, Literal

WINDOW_S = 60.0
Told = Literal["requests", "tokens"]


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
        *,
        told: Sequence[Told] = ("requests", "tokens"),
    ) -> None:
        """`told` are the limits that `rate_limits.updated` names; a server may keep one to itself."""
        self._requests = Bucket(requests_per_min, clock)
        self._tokens = Bucket(tokens_per_min, clock)
        self._reserve_tokens = reserve_tokens
        self._told = told

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
        shown = {
            "requests": self._requests.shown("requests", 20_000),
            "tokens": self._tokens.shown("tokens", 15_000_000),
        }
        return [shown[name] for name in self._told]

    def headers(self) -> dict[str, str]:
        """`x-ratelimit-*` of the limits that there are."""
        found: dict[str, str] = {}
        for name, bucket in (("requests", self._requests), ("tokens", self._tokens)):
            if bucket.limit is not None:
                shown = bucket.shown(name, bucket.limit)
                found[f"x-ratelimit-limit-{name}"] = str(shown["limit"])
                found[f"x-ratelimit-remaining-{name}"] = str(shown["remaining"])
                found[f"x-ratelimit-reset-{name}"] = span(shown["reset_seconds"])
        return found

    def wait_s(self) -> float:
        """How long until a response could run that may say the most; 0 when it could run now."""
        return max(self._requests.wait_s(1), self._tokens.wait_s(self._reserve_tokens))


def span(seconds: float) -> str:
    """A time as these headers have it: `6m0s`, `1s`, `20ms`."""
    ms = round(seconds * 1000)
    if ms < 1000:
        return f"{ms}ms"
    minutes, rest = divmod(ms, 60_000)
    said = f"{rest / 1000:.3f}".rstrip("0").rstrip(".")
    return f"{minutes}m{said}s" if minutes else f"{said}s"


def _refusal(name: str, limit: int | None, wait_s: float) -> str:
    return f"Rate limit reached on {name} per min: limit {limit}. Please try again in {wait_s:.3f}s."
