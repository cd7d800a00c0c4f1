"""Which target a call goes to when several are called in one run, so that drift of network and machine hits all alike.

In: the seed, the run-wide number of a call, how many targets there are. Out: the place of its target.
Calls come in blocks of one call for each target. The order within each block is drawn anew, so that no target is
always the one that comes first, and no alternation can fall in step with a rhythm of a server.
Trap: it depends on the number of the call alone. What answered fast, or who makes the call, must not decide where the
next one goes; and all calls of a block draw the same words, or targets would be compared on different callers.
"""

from __future__ import annotations

import random


def target_of(seed: int, index: int, targets: int) -> int:
    """The place of the target of call number `index`, from 0 to `targets` - 1."""
    if targets <= 1:
        return 0
    block, place = divmod(index, targets)
    return random.Random(f"interleave:{seed}:{block}").sample(range(targets), targets)[place]


def block_of(index: int, targets: int) -> int:
    """The number of the block that call `index` belongs to: what it draws is drawn for all calls of the block."""
    return index // max(1, targets)


def part_of_cap(cap: int, share: int, shares: int) -> int:
    """Part number `share` of `cap` things that are dealt out to `shares` as evenly as can be."""
    return cap // shares + (share < cap % shares)
