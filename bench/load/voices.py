"""The voices of a run: every fixture under every condition in which a call may speak it.

In: the scenario and its fixtures. Out: for a step and a cell, the fixtures by id that may be drawn. Nothing is rendered
here; `prepare` of the factory loads each one before the first call.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from bench.audio.catalogue import Fixture
from bench.audio.conditions import Condition, IdleNoise, rendered
from bench.scenario.conditions import Cell, condition_of
from bench.scenario.model import Scenario
from bench.scenario.steps import StepBlock


class Voices:
    """Fixtures by id for each step in each cell; the same objects each time, so that their audio is made once."""

    def __init__(self, scenario: Scenario, fixtures: Mapping[str, Fixture]) -> None:
        self._scenario = scenario
        self._plain = fixtures
        self._seed = f"voices:{scenario.seed}"
        self._known: dict[tuple[str | None, str | None], dict[str, Fixture]] = {}
        self._conditions: dict[str, Condition] = {}

    def of(self, step: StepBlock, cell: Cell | None) -> Mapping[str, Fixture]:
        """What `step` may speak in a call of `cell`."""
        own = condition_of(step.condition_use, self._scenario.conditions)
        accent = cell.accent if cell else None
        if own is not None:
            return self._under(own, accent)
        return self._under(self._condition(cell), accent)

    def idle(self, cell: Cell | None) -> IdleNoise | None:
        """What the microphone hears between the turns of a call of `cell`; None for silence."""
        found = self._condition(cell)
        if found is None:
            return None
        accent = cell.accent if cell else None
        spoken = tuple(
            each for each in self._plain.values() if each.id in self._scenario.fixture_ids and self._fits(each, accent)
        )
        return IdleNoise.of(found[0], spoken, f"{self._seed}:{found[1]}")

    def all(self, cells: Sequence[Cell]) -> Iterator[Fixture]:
        """Every fixture that a call may speak, under each condition."""
        for step in self._scenario.conversation:
            for cell in cells or (None,):
                known = self.of(step, cell)
                spoken = (*step.fixture_ids, *step.sound_ids)
                yield from (known[name] for name in spoken if name in known)

    def _fits(self, fixture: Fixture, accent: str | None) -> bool:
        """Whether a call with that accent may speak it; sounds have none."""
        return accent in {None, fixture.accent} or fixture.id not in self._scenario.fixture_ids

    def _condition(self, cell: Cell | None) -> tuple[Condition, str] | None:
        if cell is not None and cell.condition is not None and cell.label is not None:
            return cell.condition, cell.label
        return condition_of(self._scenario.condition, self._scenario.conditions)

    def _under(self, named: tuple[Condition, str] | None, accent: str | None) -> Mapping[str, Fixture]:
        key = (named[1] if named else None, accent)
        if key not in self._known:
            plain = {name: each for name, each in self._plain.items() if self._fits(each, accent)}
            if named is None:
                self._known[key] = plain
            else:
                shared = self._under(named, None) if accent is not None else {}
                self._known[key] = {
                    name: shared.get(name) or rendered(each, named[0], label=named[1], seed=self._seed)
                    for name, each in plain.items()
                }
        return self._known[key]
