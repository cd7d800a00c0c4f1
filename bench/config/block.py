"""The base of every block of a YAML file: a frozen model, and field types for durations, rates and paths.

In: plain values as YAML gives them. Out: numbers in the unit that the Python name ends in.
Trap: report contradictions between keys through `complaints`; a raised ValueError loses its key.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    SerializationInfo,
    ValidationError,
    ValidationInfo,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from bench.config.units import DURATION_PATTERN, RATE_PATTERN, format_duration, format_rate, parse_duration, parse_rate


@dataclass(frozen=True, slots=True)
class Complaint:
    """A sentence about the key at `loc`, relative to the block that complains."""

    loc: tuple[str | int, ...]
    sentence: str


class Block(BaseModel):
    """A mapping in a YAML file: unknown keys are refused, values cannot be changed after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=False)

    def complaints(self) -> Iterator[Complaint]:
        """Contradictions between keys that are valid alone; blocks override this."""
        yield from ()

    @model_validator(mode="after")
    def _raise_complaints(self) -> Self:
        raise_all(type(self).__name__, list(self.complaints()))
        return self


def raise_all(title: str, complaints: Sequence[Complaint]) -> None:
    """Raise every complaint at once, each at its key; nothing for none."""
    if complaints:
        errors = [InitErrorDetails(type=refusal(each.sentence), loc=each.loc, input=None) for each in complaints]
        raise ValidationError.from_exception_data(title, errors)


def nearest(word: str, known: Iterable[str]) -> str:
    """`; did you mean 'x'?`, or nothing when no known word is close."""
    close = get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"; did you mean '{close[0]}'?" if close else ""


def refusal(sentence: str) -> PydanticCustomError:
    """An error of a validator whose sentence is shown unchanged: what was found, what is allowed, the nearest match."""
    return PydanticCustomError("sentence", "{sentence}", {"sentence": sentence})


def _sentence(parse: Callable[[object], Any]) -> Callable[[object], Any]:
    """`parse` with its ValueError turned into a `refusal`."""

    def checked(value: object) -> Any:
        try:
            return parse(value)
        except ValueError as error:
            raise refusal(str(error)) from error

    return checked


def _join_base(value: object, info: ValidationInfo) -> object:
    base = (info.context or {}).get("base")
    if isinstance(value, str) and not value.strip():
        raise refusal("found an empty path; allowed: the path of a file")
    return base / Path(value).expanduser() if base is not None and isinstance(value, str) else value


def _above_zero(value: float, allowed: str) -> float:
    if value <= 0:
        raise refusal(f"found 0; allowed: {allowed}")
    return value


def relative_to_base(path: Path, info: SerializationInfo) -> str:
    """The path as it was written: relative to the file if it lies below the file's folder."""
    base = (info.context or {}).get("base")
    return str(path.relative_to(base)) if base is not None and path.is_relative_to(base) else str(path)


DurationMs = Annotated[
    int,
    BeforeValidator(_sentence(parse_duration)),
    PlainSerializer(format_duration, return_type=str, when_used="json"),
    WithJsonSchema({"anyOf": [{"type": "string", "pattern": DURATION_PATTERN}, {"const": 0}]}),
]
"""Whole milliseconds; written as `800ms`, `1.5s`, `2m`."""

RatePerMin = Annotated[
    float,
    BeforeValidator(_sentence(parse_rate)),
    PlainSerializer(format_rate, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "pattern": RATE_PATTERN}),
]
"""Events per minute; written as `30/min`, `2/s`, `10/h`."""

LongerMs = Annotated[DurationMs, AfterValidator(lambda ms: _above_zero(ms, "a duration longer than 0"))]
"""As `DurationMs`, but not 0."""

PositiveRate = Annotated[RatePerMin, AfterValidator(lambda rate: _above_zero(rate, "a rate above 0"))]
"""As `RatePerMin`, but not 0."""

ScenarioPath = Annotated[
    Path,
    BeforeValidator(_join_base),
    PlainSerializer(relative_to_base, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "minLength": 1}),
]
"""A file; a relative path is joined to the folder of the YAML file, so that it can be opened from anywhere."""

Count = Annotated[int, Field(strict=True, ge=1)]
"""A whole number, 1 or more."""

Text = Annotated[str, Field(min_length=1)]

NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
"""Names that stand in paths, rows and thresholds."""
