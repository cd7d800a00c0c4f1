"""The `conditions:`, `condition:` and `matrix:` of a scenario: what is done to the caller's voice, and in which cells.

In: mappings of `bench.audio.conditions`, or the names of such. Out: blocks, and the cells of a matrix in a fixed order.
Which cell a call belongs to is a pure function of its number and the seed: calls are dealt in rounds, each round a
shuffled deck of all cells, so that whatever drifts during a run meets every cell alike.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Annotated, Any

from pydantic import AfterValidator, Discriminator, Field, Tag

from bench.audio.conditions import CLEAN, Condition
from bench.audio.conditions.noise import Noise
from bench.audio.conditions.units import Decibels, show_db
from bench.config.block import Block, Complaint, DurationMs, Text, nearest
from bench.config.units import format_duration
from bench.dialects.session_config import frame_size

CLEAN_NAME = "clean"
"""The name of the condition in which nothing happens to the voice; it need not be declared."""


def _form(value: Any) -> str | None:
    if isinstance(value, str):
        return "<name>"
    return "<mapping>" if isinstance(value, Mapping | Condition) else None


ConditionUse = Annotated[
    Annotated[Text, Tag("<name>")] | Annotated[Condition, Tag("<mapping>")],
    Discriminator(
        _form,
        custom_error_type="sentence",
        custom_error_message="allowed: the name of one of the scenario's conditions, or a mapping such as "
        "(noise: (kind: white, snr: 10dB))",
    ),
]
"""A condition, or the name of one."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of a matrix: what its calls have in common. None: as the scenario says."""

    name: str
    condition: Condition | None = None
    label: str | None = None
    """The condition in reports."""
    accent: str | None = None
    frame_ms: int | None = None


class Matrix(Block):
    """Axes whose every combination is a cell; the calls of all cells are interleaved in one run."""

    condition: tuple[Text, ...] = Field(
        default=(), description="Names of conditions; clean is always known.", examples=[["clean", "cafe"]]
    )
    snr: tuple[Decibels, ...] = Field(
        default=(),
        description="Replaces the ratio of each condition that has noise; others make one cell.",
        examples=[["20dB", "10dB", "0dB"]],
        json_schema_extra={"default": []},
    )
    accent: tuple[Text, ...] = Field(
        default=(),
        description="Calls of a cell speak only fixtures of this accent.",
        examples=[["american", "scottish"]],
    )
    frame_ms: tuple[Annotated[DurationMs, AfterValidator(frame_size)], ...] = Field(
        default=(), alias="frame", description="Replaces session.frame.", examples=[["20ms", "100ms"]]
    )
    target: tuple[Text, ...] = Field(
        default=(),
        description="Names of targets, which are called in turn (load.interleave); each cell is shown for each.",
        examples=[["mini", "other"]],
    )

    @property
    def has_cells(self) -> bool:
        """Whether calls to one target differ; targets alone are no cells."""
        return bool(self.condition or self.snr or self.accent or self.frame_ms)

    def complaints(self) -> Iterator[Complaint]:
        axes: dict[str, tuple[object, ...]] = {
            "condition": self.condition,
            "snr": self.snr,
            "accent": self.accent,
            "frame": self.frame_ms,
            "target": self.target,
        }
        if not any(axes.values()):
            yield Complaint((), f"no axis; allowed: one or more of {', '.join(axes)}")
        if len(self.target) == 1:
            yield Complaint(("target",), "found one name; allowed: two or more (--target NAME selects one)")
        for key, values in axes.items():
            if len(set(values)) < len(values):
                yield Complaint((key,), "found a value twice; allowed: each once")


def cells_of(matrix: Matrix | None, known: Mapping[str, Condition], use: str | Condition | None) -> list[Cell]:
    """The cells in the order of the axes; none without a matrix. `use` is the scenario's own condition."""
    if matrix is None or not matrix.has_cells:
        return []
    names: tuple[str | Condition | None, ...] = matrix.condition or (use,)
    cells = []
    for name, accent, frame_ms in product(names, matrix.accent or (None,), matrix.frame_ms or (None,)):
        base = condition_of(name, known)
        for condition, label in _ratios(base, matrix.snr) if base is not None else [(None, None)]:
            parts = [
                label if matrix.condition or matrix.snr else None,
                accent,
                f"{format_duration(frame_ms)} frames" if frame_ms else None,
            ]
            cells.append(Cell(" / ".join(part for part in parts if part), condition, label, accent, frame_ms))
    return cells


def matrix_of_one_target(matrix: Matrix | None) -> Matrix | None:
    """The matrix of calls to one target; None where nothing but the target differs."""
    if matrix is None or not matrix.target:
        return matrix
    return matrix.model_copy(update={"target": ()}) if matrix.has_cells else None


def condition_of(use: str | Condition | None, known: Mapping[str, Condition]) -> tuple[Condition, str] | None:
    """A condition and what reports call it; None where none was asked for. KeyError for a name that is not known."""
    if use is None:
        return None
    if isinstance(use, str):
        return (known[use] if use in known or use != CLEAN_NAME else CLEAN), use
    return use, use.label


def _ratios(base: tuple[Condition, str], ratios: tuple[float, ...]) -> list[tuple[Condition, str]]:
    condition, name = base
    if condition.noise is None or not ratios:
        return [base]
    # The label of an inline condition says its ratio itself.
    inline = condition.label == name
    found = []
    for ratio in ratios:
        changed = condition.model_copy(update={"noise": _at(condition.noise, ratio)})
        found.append((changed, changed.label if inline else f"{name} {show_db(ratio)}"))
    return found


def _at(noise: Noise, ratio: float) -> Noise:
    return noise.model_copy(update={"snr": ratio})


def cell_number(index: int, cells: int, seed: int) -> int:
    """Which cell the call with run-wide number `index` belongs to."""
    deck = list(range(cells))
    random.Random(f"cells:{seed}:{index // cells}").shuffle(deck)
    return deck[index % cells]


def target_complaints(matrix: Matrix | None, targets: Sequence[str], *, interleave: bool) -> Iterator[Complaint]:
    """Names of the matrix that are no targets, and targets that are not to be called in turn."""
    named = matrix.target if matrix is not None else ()
    for place, name in enumerate(named):
        if name not in targets:
            allowed = ", ".join(targets) or "none, as the scenario has no targets"
            yield Complaint(
                ("matrix", "target", place), f"no target '{name}'{nearest(name, targets)}; allowed: {allowed}"
            )
    if named and not interleave:
        yield Complaint(("load", "interleave"), "found false with matrix.target; allowed: true, or leave it out")


def unknown_names(uses: Mapping[tuple[str | int, ...], object], known: Mapping[str, Condition]) -> Iterator[Complaint]:
    """A complaint for each use, by its key, of a condition that is not declared."""
    allowed = [*known, CLEAN_NAME]
    for loc, use in uses.items():
        if isinstance(use, str) and use not in allowed:
            words = ", ".join(dict.fromkeys(allowed))
            yield Complaint(loc, f"no condition '{use}'{nearest(use, allowed)}; allowed: {words}, or a mapping")


def same_labels(uses: Mapping[tuple[str | int, ...], object]) -> Iterator[Complaint]:
    """A complaint for each mapping that reports could not tell from another one."""
    seen: dict[str, Condition] = {}
    for loc, use in uses.items():
        if isinstance(use, Condition) and seen.setdefault(use.label, use) != use:
            yield Complaint(loc, f"another condition is called '{use.label}' too; give both a name under conditions")


def noise_cut_off(uses: Mapping[tuple[str | int, ...], object], known: Mapping[str, Condition]) -> Iterator[Complaint]:
    """A complaint for each step whose own condition would cut off, or begin, noise that goes on between turns."""
    named = {loc: condition_of(use, known) for loc, use in uses.items() if isinstance(use, str | Condition)}
    given = {loc: found[0] for loc, found in named.items() if found is not None}
    lasting = [found for found in given.values() if found.noise is not None and found.noise.between_turns]
    if lasting:
        for loc in given:
            if loc[0] == "conversation":
                yield Complaint(
                    loc,
                    "noise with between_turns goes on for a whole call, so a step cannot change the condition; "
                    "allowed: conditions of steps, or between_turns",
                )
