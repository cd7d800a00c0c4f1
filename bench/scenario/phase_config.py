"""The `phases:` of a load: named stretches of a run, each with its own load, duration and objectives.

In: a list of mappings. Out: frozen blocks, and what contradicts what in them.
Trap: callers wait for their call to end, arrivals do not. A plan has one kind of the two in all of its phases: a
caller has a number in the pool, an arrival has one in the order of arrivals, and these count differently.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, PlainSerializer, PlainValidator, WithJsonSchema

from bench.config.block import NAME_PATTERN, Block, Complaint, LongerMs, RatePerMin, refusal
from bench.config.units import DURATION_PATTERN, format_duration, parse_duration
from bench.scenario.threshold_grammar import Objective
from bench.scenario.thresholds import ObjectivesField

USUAL_NAMES = ("warm-up", "ramp", "hold", "spike", "soak", "cool-down")
FINISHING = "finishing"
"""The phase of what goes on after the last one has ended: calls that are open then may finish."""
RESERVED = (FINISHING, "ended")


def _name(value: object) -> object:
    if not isinstance(value, str) or re.fullmatch(NAME_PATTERN, value) is None:
        found = f"'{value}'" if isinstance(value, str) else repr(value)
        sentence = f"found {found}; allowed: letters, digits, dot, dash and underscore, 64 at most, such as hold"
        raise refusal(sentence)
    if value in RESERVED:
        what = "the name of what follows the last phase" if value == FINISHING else "a word of the progress page"
        raise refusal(f"found '{value}', which is {what}; allowed: another name, such as cool-down")
    return value


def _ramp(value: object) -> int | bool:
    if isinstance(value, bool):
        return value
    try:
        return parse_duration(value)
    except ValueError as error:
        raise refusal(f"{error}; or true for the whole phase") from error


Ramp = Annotated[
    int | bool,
    PlainValidator(_ramp),
    PlainSerializer(lambda ramp: ramp if isinstance(ramp, bool) else format_duration(ramp), when_used="json"),
    WithJsonSchema(
        {"anyOf": [{"type": "boolean"}, {"const": 0}, {"type": "string", "pattern": DURATION_PATTERN}]},
    ),
]


class PhaseConfig(Block):
    """One phase of a run."""

    name: Annotated[str, BeforeValidator(_name)] = Field(
        json_schema_extra={"pattern": NAME_PATTERN},
        description=f"Names the phase in rows, tables and thresholds; usual names: {', '.join(USUAL_NAMES)}.",
        examples=["hold"],
    )
    duration_ms: LongerMs = Field(alias="duration", description="How long the phase lasts.", examples=["2m"])
    callers: Annotated[int, Field(strict=True, ge=0)] | None = Field(
        default=None, description="Calls at a time; 0: no new call begins.", examples=[20]
    )
    rate_per_min: RatePerMin | None = Field(
        default=None, alias="rate", description="Arrivals, instead of callers; 0/min is a lull.", examples=["30/min"]
    )
    ramp: Ramp = Field(
        default=False,
        description="How long the load moves evenly from that of the phase before (of the first: 0) to this one; "
        "true: for the whole phase.",
        examples=["30s", True],
    )
    warmup: bool = Field(default=False, description="Leave what begins in this phase out of the results.")
    objectives: ObjectivesField | None = Field(
        default=None,
        description="What a good turn of this phase keeps, in place of the scenario's objectives.",
        examples=[["first_audible_ms < 1500ms"]],
    )

    @property
    def ramp_ms(self) -> int:
        """How long the load moves."""
        return (self.duration_ms if self.ramp else 0) if isinstance(self.ramp, bool) else self.ramp

    @property
    def level(self) -> float:
        """Calls at a time, or arrivals per minute."""
        return float(self.callers or 0) if self.rate_per_min is None else self.rate_per_min

    def complaints(self) -> Iterator[Complaint]:
        """Neither kind of load or both, and a ramp that does not fit in."""
        if (self.callers is None) == (self.rate_per_min is None):
            found = "neither callers nor rate" if self.callers is None else "callers and rate"
            yield Complaint((), f"found {found}; allowed: one of them, such as callers: 20 or rate: 30/min")
        if self.ramp_ms > self.duration_ms:
            found, most = format_duration(self.ramp_ms), format_duration(self.duration_ms)
            yield Complaint(("ramp",), f"found {found}; allowed: at most the phase's duration, {most}")


def kind_of(phases: Sequence[object]) -> str | None:
    """`rate` or `callers`, whichever the first phase has, checked or as plain data; None where it has neither."""
    first = phases[0] if phases else None
    if isinstance(first, PhaseConfig):
        return "callers" if first.rate_per_min is None else "rate"
    given: dict[str, Any] = first if isinstance(first, dict) else {}
    return next((kind for kind in ("rate", "callers") if given.get(kind) is not None), None)


def phase_complaints(phases: Sequence[PhaseConfig], arrival: str) -> Iterator[Complaint]:
    """What contradicts what between phases; places are relative to `load`."""
    first, kind = phases[0], kind_of(phases)
    for place, phase in enumerate(phases):
        own = kind_of([phase])
        if own != kind:
            sentence = (
                f"found {own}, where phase '{first.name}' has {kind}; allowed: {kind} in every phase "
                "(callers and arrivals are counted differently: make two runs of them)"
            )
            yield Complaint(("phases", place), sentence)
        if phase.name in {each.name for each in phases[:place]}:
            yield Complaint(("phases", place, "name"), f"'{phase.name}' comes twice; allowed: each name once")
    if kind == "callers" and arrival != "closed":
        yield Complaint(("arrival",), f"found {arrival} with phases of callers; allowed: closed")
    if kind == "rate" and arrival not in {"constant", "poisson"}:
        yield Complaint(("arrival",), f"found {arrival} with phases of a rate; allowed: constant or poisson")
    if not any(phase.level for phase in phases):
        yield Complaint(("phases",), f"every phase has {kind}: 0, so that no call would be made")
    elif all(phase.warmup for phase in phases):
        yield Complaint(("phases",), "every phase is warm-up, so that nothing would be measured")


def objectives_by_phase(common: tuple[Objective, ...], phases: Sequence[PhaseConfig]) -> tuple[Objective, ...]:
    """What good turns keep: `common`, or in a phase with its own those. What follows the last phase is as that."""
    if all(phase.objectives is None for phase in phases):
        return common
    names = [(phase.name, phase.objectives) for phase in phases] + [(FINISHING, phases[-1].objectives)]
    return tuple(
        replace(objective, phase=name) for name, own in names for objective in (common if own is None else own)
    )


NOT_WITH_PHASES = ("ramp", "sessions", "duration", "warmup", "rate", "schedule", "callers")
"""Keys of `load` that each phase has for itself, or that the phases together decide."""
