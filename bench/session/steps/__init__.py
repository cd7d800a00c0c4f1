"""How the steps of a conversation are played, one file a kind; `bench.scenario.steps` has what a scenario says of them.

In: a step's block, the fixtures, the call's own random numbers. Out: a `CallStep`, which plays itself on a `Call`. A
new kind is a new file and one line in `_MAKERS`, or a call of `register_player`.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import Any

from bench.audio.catalogue import Fixture
from bench.scenario.steps import StepBlock
from bench.session.call import CallStep
from bench.session.steps.backchannel import BackchannelStep
from bench.session.steps.interrupt import InterruptStep
from bench.session.steps.listen import ListenStep
from bench.session.steps.pause import PauseStep
from bench.session.steps.press import PressStep
from bench.session.steps.say import SayStep

Maker = Callable[[int, Any, Mapping[str, Fixture], random.Random], CallStep]
"""(place in the conversation, block, fixtures by id, random numbers of this call) -> the step of this call."""

_MAKERS: dict[str, Maker] = {
    "say": SayStep.of,
    "pause": PauseStep.of,
    "listen": ListenStep.of,
    "interrupt": InterruptStep.of,
    "backchannel": BackchannelStep.of,
    "press": PressStep.of,
}


def register_player(kind: str, make: Maker) -> None:
    """Play steps of `kind` with what `make` returns. Raises `ValueError` for a kind that has a player."""
    if _MAKERS.setdefault(kind, make) is not make:
        raise ValueError(f"steps {kind!r} have a player already")


def step_of(place: int, block: StepBlock, fixtures: Mapping[str, Fixture], draw: random.Random) -> CallStep:
    """The step that `block` asks for, with everything that is drawn for this call drawn from `draw`."""
    return _MAKERS[block.KIND](place, block, fixtures, draw)
