"""The steps of a conversation: each a small frozen block, told from the others by its first key.

A step kind is a class with `KIND`, the key that makes a mapping this kind; add one by writing it (in a file of its
own) and adding it to `AnyStep`. Trap: a list of fixtures is a choice that each session makes, not a sequence.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, get_args

from pydantic import BeforeValidator, Discriminator, Field, PlainSerializer, Tag, ValidationInfo, WithJsonSchema

from bench.config.block import Block, LongerMs, Text, nearest, refusal


def _fixture_ids(value: object, info: ValidationInfo) -> tuple[str, ...]:
    """One id or a list of them; checked against `context["fixture_ids"]` when the loader knows the catalogue."""
    if isinstance(value, str):
        ids: list[object] = [value]
    elif isinstance(value, list | tuple):
        ids = list(value)
    else:
        raise refusal(f"found {_yaml(value)}; allowed: the id of a fixture in quotes, or a list of ids")
    if not ids:
        raise refusal("found an empty list; allowed: the id of a fixture, or a list of at least one")
    context = info.context or {}
    known: Sequence[str] | None = context.get("fixture_ids")
    for item in ids:
        if not isinstance(item, str) or not item:
            raise refusal(f"found {_yaml(item)} in the list; allowed: ids of fixtures, in quotes")
        if known is not None and item not in known:
            raise refusal(
                f"no fixture '{item}'; allowed: the {len(known)} ids of {context.get('catalogue', 'the catalogue')} "
                f"(bench fixtures list){nearest(item, list(known))}"
            )
    return tuple(str(item) for item in ids)


FixtureChoice = Annotated[
    tuple[str, ...],
    BeforeValidator(_fixture_ids),
    PlainSerializer(lambda ids: ids[0] if len(ids) == 1 else list(ids), when_used="json"),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "minLength": 1},
                {"type": "array", "items": {"type": "string", "minLength": 1}, "minItems": 1},
            ]
        }
    ),
]


class Say(Block):
    """The caller speaks one utterance, which is one turn."""

    KIND: ClassVar[str] = "say"

    say: FixtureChoice = Field(
        description="Fixture id to speak, or a list of ids of which each session draws one by the seed.",
        examples=["balance-rms", ["balance-rms", "balance-slt"]],
    )
    id: Text | None = Field(default=None, description="A name for this step in reports.", examples=["ask-balance"])

    def draw(self, rng: random.Random) -> str:
        """The fixture id that a session speaks; always takes one number from `rng`, so later draws do not shift."""
        return self.say[int(rng.random() * len(self.say))]


class Pause(Block):
    """The caller is silent, microphone open, after the reply before has ended."""

    KIND: ClassVar[str] = "pause"

    pause_ms: LongerMs = Field(
        alias="pause", description="How long the caller waits before the next step.", examples=["1s", "500ms"]
    )


AnyStep = Annotated[Say, Tag("<say>")] | Annotated[Pause, Tag("<pause>")]
"""Every step kind, tagged with its key; the brackets keep a tag from being taken for a key in an error's path."""
STEP_KINDS: tuple[Any, ...] = tuple(get_args(kind)[0] for kind in get_args(AnyStep))


def step_words() -> list[str]:
    """The keys that tell step kinds apart."""
    return [kind.KIND for kind in STEP_KINDS]


def _kind_of(value: Any) -> str | None:
    if isinstance(value, STEP_KINDS):
        return f"<{value.KIND}>"
    if not isinstance(value, Mapping):
        return None
    return next((f"<{word}>" for word in step_words() if word in value), None)


def _one_kind(value: object) -> object:
    """Refuse what is no step with a sentence of its own, before the union is tried."""
    words = step_words()
    allowed = f"allowed: a mapping with one of: {', '.join(words)}"
    if isinstance(value, STEP_KINDS):
        return value
    if not isinstance(value, Mapping):
        example = f" (- say: {value})" if isinstance(value, str) else ""
        raise refusal(f"found {_yaml(value)}; {allowed}{example}")
    present = [word for word in words if word in value]
    if len(present) > 1:
        raise refusal(f"found {' and '.join(present)} in one step; allowed: one of them, the other a step of its own")
    if not present:
        first = str(next(iter(value), ""))
        found = f"found a step with key '{first}'" if first else "found an empty step"
        raise refusal(f"{found}; {allowed}{nearest(first, words)}")
    return value


Step = Annotated[AnyStep, Discriminator(_kind_of), BeforeValidator(_one_kind)]


def _yaml(value: object) -> str:
    if value is None:
        return "nothing"
    return f"'{value}'" if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else repr(value)
