"""The caller speaks. Trap: a list of fixtures is a choice that each session makes, not a sequence."""

from __future__ import annotations

import random
from collections.abc import Collection, Iterator, Sequence
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, PlainSerializer, ValidationInfo, WithJsonSchema

from bench.audio.conditions import Condition
from bench.config.block import Complaint, Text, nearest, refusal
from bench.scenario.conditions import ConditionUse
from bench.scenario.draws import Draws
from bench.scenario.steps.expect import Expect
from bench.scenario.steps.step import StepBlock, as_written


def _fixture_ids(value: object, info: ValidationInfo) -> tuple[str, ...]:
    """One id or a list of them; checked against `context["fixture_ids"]` when the loader knows the catalogue."""
    return checked_ids(value, info)


def checked_ids(value: object, info: ValidationInfo, others: Sequence[str] = ()) -> tuple[str, ...]:
    """The same, where `others` may be said too."""
    if isinstance(value, str):
        ids: list[object] = [value]
    elif isinstance(value, list | tuple):
        ids = list(value)
    else:
        raise refusal(f"found {as_written(value)}; allowed: the id of a fixture in quotes, or a list of ids")
    if not ids:
        raise refusal("found an empty list; allowed: the id of a fixture, or a list of at least one")
    context = info.context or {}
    known: Sequence[str] | None = context.get("fixture_ids")
    for item in ids:
        if not isinstance(item, str) or not item:
            raise refusal(f"found {as_written(item)} in the list; allowed: ids of fixtures, in quotes")
        if known is not None and item not in known and item not in others:
            catalogue = context.get("catalogue", "the catalogue")
            if not known and not others:
                raise refusal(
                    f"no fixture '{item}': {catalogue} holds none; allowed: an id that `bench fixtures add` put there"
                )
            raise refusal(
                f"no fixture '{item}'; allowed: the {len(known)} ids of {catalogue} "
                f"(bench fixtures list){_or_one_of(others)}{nearest(item, [*known, *others])}"
            )
    return tuple(str(item) for item in ids)


def _or_one_of(others: Sequence[str]) -> str:
    return f", or a sound: {', '.join(others)}" if others else ""


AS_WRITTEN = PlainSerializer(lambda ids: ids[0] if len(ids) == 1 else list(ids), when_used="json")
CHOICE_SCHEMA = WithJsonSchema(
    {
        "anyOf": [
            {"type": "string", "minLength": 1},
            {"type": "array", "items": {"type": "string", "minLength": 1}, "minItems": 1},
        ]
    }
)
FixtureChoice = Annotated[tuple[str, ...], BeforeValidator(_fixture_ids), AS_WRITTEN, CHOICE_SCHEMA]


def drawn(ids: tuple[str, ...], rng: random.Random, known: Collection[str] | None = None) -> str:
    """One of `ids` that is `known`; always takes one number from `rng`, so that later draws do not shift."""
    among = ids if known is None else [each for each in ids if each in known]
    return among[int(rng.random() * len(among))]


class Say(StepBlock):
    """The caller speaks one utterance, which is one turn."""

    KIND = "say"
    TURNS = 1
    HAS_REPLY = True

    say: FixtureChoice = Field(
        description="Fixture id to speak, or a list of ids of which each session draws one by the seed.",
        examples=["balance-rms", ["balance-rms", "balance-slt"]],
    )
    choose: Literal["drawn", "in_turn"] = Field(
        default="drawn",
        description="Which fixture of a list a call speaks: one drawn by the seed, or call number n the n-th of "
        "them, so that calls that are open at the same time differ.",
    )
    id: Text | None = Field(default=None, description="A name for this step in reports.", examples=["ask-balance"])
    expect: Expect | None = Field(
        default=None,
        description="What must be true of the reply; task success counts the turns in which all of it is.",
        examples=[{"contains": "on its way"}],
    )
    expect_each: dict[str, Expect] = Field(
        default_factory=dict,
        description="The same by fixture id, in the place of `expect`, where a list of fixtures asks different things.",
        examples=[{"balance-rms": {"number": 246}}],
    )

    condition: ConditionUse | None = Field(
        default=None,
        description="What is done to the voice in this step, instead of the scenario's condition.",
        examples=["cafe", {"gain": "-12dB"}],
    )

    @property
    def fixture_ids(self) -> tuple[str, ...]:
        return self.say

    def complaints(self) -> Iterator[Complaint]:
        for name in self.expect_each:
            if name not in self.say:
                sentence = (
                    f"not among the fixtures of this step; allowed: {', '.join(self.say[:8])}{nearest(name, self.say)}"
                )
                yield Complaint(("expect_each", name), sentence)

    def expects(self, fixture: str) -> Expect | None:
        """What is expected of the reply to `fixture`."""
        return self.expect_each.get(fixture, self.expect)

    @property
    def all_expected(self) -> tuple[Expect, ...]:
        return (*((self.expect,) if self.expect else ()), *self.expect_each.values())

    @property
    def condition_use(self) -> str | Condition | None:
        return self.condition

    def draw(self, rng: random.Random, known: Collection[str] | None = None) -> str:
        """The fixture id that a session speaks, of those that are `known`; always takes one number from `rng`."""
        found = drawn(self.say, rng, known)
        if self.choose == "drawn" or not isinstance(rng, Draws):
            return found
        among = self.say if known is None else [each for each in self.say if each in known]
        return among[rng.number % len(among)]
