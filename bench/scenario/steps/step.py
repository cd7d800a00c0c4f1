"""What every step of a conversation is, and how a mapping of a scenario finds its kind.

A step kind is a `StepBlock` with `KIND`, the key that makes a mapping this kind; `register_step` makes it known.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator, SerializeAsAny, ValidationError, ValidationInfo
from pydantic_core import InitErrorDetails, PydanticCustomError

from bench.audio.conditions import Condition
from bench.config.block import Block, nearest, refusal
from bench.scenario.steps.expect import Expect


class StepBlock(Block):
    """One step as a scenario gives it."""

    KIND: ClassVar[str]
    TURNS: ClassVar[int] = 0
    """Turns that this step plans."""
    HAS_REPLY: ClassVar[bool] = False
    """The agent speaks at the end of this step, so that the next one can cut into that."""
    CUTS_IN: ClassVar[bool] = False
    """This step begins while the reply to the step before it is heard."""
    NEEDS_OPEN_MICROPHONE: ClassVar[bool] = False
    """This step means nothing in push to talk, where nothing is sent while the caller listens."""
    NEEDS_KEYPAD: ClassVar[bool] = False
    """This step means nothing in a protocol that has no keys of a telephone."""

    @property
    def condition_use(self) -> str | Condition | None:
        """The condition under which this step alone is spoken, or its name; None for that of the scenario."""
        return None

    @property
    def all_expected(self) -> tuple[Expect, ...]:
        """Everything that may be expected of the reply."""
        return ()

    @property
    def tools_wanted(self) -> tuple[str, ...]:
        """Names of the tools that the agent is expected to call."""
        return tuple(dict.fromkeys(each.name for expect in self.all_expected for each in expect.tool))

    @property
    def fixture_ids(self) -> tuple[str, ...]:
        """Every fixture that the step may speak."""
        return ()

    @property
    def sound_ids(self) -> tuple[str, ...]:
        """Those of them that may be shipped sounds, and are no turn."""
        return ()


KINDS: dict[str, type[StepBlock]] = {}


def register_step(kind: type[StepBlock]) -> None:
    """Let scenarios hold steps of this kind. Raises `ValueError` for a word that is taken."""
    if KINDS.setdefault(kind.KIND, kind) is not kind:
        raise ValueError(f"a step {kind.KIND!r} is known already")


def as_written(value: object) -> str:
    """`value` as a scenario would have it."""
    if value is None:
        return "nothing"
    return f"'{value}'" if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else repr(value)


def _kind_of(value: object) -> type[StepBlock]:
    """The kind of the mapping `value`; what is no step is refused with a sentence."""
    allowed = f"allowed: a mapping with one of: {', '.join(KINDS)}"
    if not isinstance(value, Mapping):
        example = f" (- say: {value})" if isinstance(value, str) else ""
        raise refusal(f"found {as_written(value)}; {allowed}{example}")
    present = [word for word in KINDS if word in value]
    if len(present) > 1:
        raise refusal(f"found {' and '.join(present)} in one step; allowed: one of them, the other a step of its own")
    if not present:
        first = str(next(iter(value), ""))
        found = f"found a step with key '{first}'" if first else "found an empty step"
        raise refusal(f"{found}; {allowed}{nearest(first, KINDS)}")
    return KINDS[present[0]]


def _step(value: object, info: ValidationInfo) -> StepBlock:
    if isinstance(value, StepBlock):
        return value
    kind = _kind_of(value)
    try:
        return kind.model_validate(value, context=info.context)
    except ValidationError as error:
        raise ValidationError.from_exception_data(
            kind.__name__, [_tagged(each, kind) for each in error.errors()]
        ) from None


def _tagged(error: Any, kind: type[StepBlock]) -> InitErrorDetails:
    """The same error with the kind in its path (in brackets, so that it is not taken for a key)."""
    context = error.get("ctx", {})
    custom = error["type"] in {"sentence", "secret"}
    return InitErrorDetails(
        type=PydanticCustomError(error["type"], "{sentence}", {"sentence": error["msg"]}) if custom else error["type"],
        loc=(f"<{kind.KIND}>", *error["loc"]),
        input=error["input"],
        ctx=context,
    )


class StepKinds:
    """Marks a field as a step, so that error messages find out which kinds there are."""

    def blocks(self) -> dict[str | None, type[Block]]:
        """Each kind by the tag that error paths bear."""
        return {f"<{word}>": kind for word, kind in KINDS.items()}


Step = Annotated[SerializeAsAny[StepBlock], BeforeValidator(_step), StepKinds()]
