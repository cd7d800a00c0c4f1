"""The random numbers of one call, and its number: what a call draws depends on the seed and on nothing else.

In: seed and number. Out: a generator that knows the number, for choices that are made in turn.
"""

from __future__ import annotations

import random


class Draws(random.Random):
    """Random numbers of the call with the run-wide number `number`."""

    def __new__(cls, seed: int, number: int) -> Draws:
        return super().__new__(cls)

    def __init__(self, seed: int, number: int) -> None:
        super().__init__(f"{seed}:{number}")
        self.number = number
