"""How many calls are open at once: from calls an hour and their length, by the arithmetic of telephony.

In: calls an hour, minutes a call. Out: calls open at once, on average and at most.
Trap: the average is passed half of the time. Callers do not come evenly, so lines are counted by how many calls would
find none free.
"""

from __future__ import annotations

MOST_LINES = 10_000_000


def calls_at_once(calls_per_hour: float, minutes_per_call: float) -> float:
    """The mean number of open calls, by Little's law: arrivals a minute times minutes each."""
    return calls_per_hour / 60 * minutes_per_call


def refused_share(load: float, lines: int) -> float:
    """Share of calls that find all `lines` taken, for `load` calls open on average (Erlang B).

    Calls come independently of each other (Poisson), and one that is refused does not come again. By the recursion
    B(0) = 1, B(n) = load B(n-1) / (n + load B(n-1)).
    """
    share = 1.0
    for line in range(1, lines + 1):
        share = load * share / (line + load * share)
    return share


def lines_for(load: float, refused: float) -> int:
    """The fewest lines with which at most the share `refused` of calls finds none free."""
    share, lines = 1.0, 0
    while share > refused and lines < MOST_LINES:
        lines += 1
        share = load * share / (lines + load * share)
    return lines if load > 0 else 0
