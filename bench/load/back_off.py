"""How long a caller waits before calling again: exponential back-off with jitter.

In: how often in a row its call failed, and a generator of its own. Out: seconds.
"""

from __future__ import annotations

import random

MOST_PAUSE_S = 30.0
WAITED = "callers waited"


def back_off_s(failed: int, draw: random.Random) -> float:
    """The pause after `failed` failures in a row: 1, 2, 4 ... 30 s, less up to a half of it at random."""
    if not failed:
        return 0.0
    return float(min(MOST_PAUSE_S, 2.0 ** min(failed - 1, 10)) * draw.uniform(0.5, 1.0))


def backing_off(pauses: int, paused_s: float) -> list[str]:
    """What the report says of callers who waited; nothing when none did."""
    if not pauses:
        return []
    return [
        f"{WAITED} {pauses:,} times, {paused_s:,.0f} s in all, before they called again after a call that failed "
        f"(1 to {MOST_PAUSE_S:.0f} s, longer each time): fewer calls were offered than by callers who never wait"
    ]
