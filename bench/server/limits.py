"""The token and request allowance that `rate_limits.updated` reports: shared by all sessions, refilled continuously.

The figures are informative: this server reports its allowance and does not refuse work when it is used up.
"""

from __future__ import annotations

import time
from typing import Any

WINDOW_S = 60.0


class _Bucket:
    """An allowance of `limit` per window."""

    __slots__ = ("_at_s", "_left", "limit", "name")

    def __init__(self, name: str, limit: int) -> None:
        self.name = name
        self.limit = limit
        self._left = float(limit)
        self._at_s = time.monotonic()

    def use(self, amount: int) -> dict[str, Any]:
        now_s = time.monotonic()
        refilled = self._left + (now_s - self._at_s) * self.limit / WINDOW_S
        self._left = max(0.0, min(float(self.limit), refilled) - amount)
        self._at_s = now_s
        reset_s = round((self.limit - self._left) * WINDOW_S / self.limit, 3)
        return {"name": self.name, "limit": self.limit, "remaining": int(self._left), "reset_seconds": reset_s}


class Allowance:
    """Requests and tokens per minute."""

    __slots__ = ("_requests", "_tokens")

    def __init__(self, *, requests_per_min: int = 20_000, tokens_per_min: int = 15_000_000) -> None:
        self._requests = _Bucket("requests", requests_per_min)
        self._tokens = _Bucket("tokens", tokens_per_min)

    def used(self, tokens: int) -> list[dict[str, Any]]:
        """Count one response of so many tokens; the array that its event carries."""
        return [self._requests.use(1), self._tokens.use(tokens)]
