"""What a run would do, without doing it: the text of `bench run --dry-run` and of `bench validate`."""

from __future__ import annotations

from collections.abc import Mapping

import yaml

from bench.audio.catalogue import Fixture
from bench.audio.recording_checks import RecordingCheck, recording_doubts
from bench.load.factory import fixtures_of
from bench.run.cost_text import budget_sentences, cost_line
from bench.run.estimate import estimate
from bench.scenario.books import books_of
from bench.scenario.load_sentence import load_sentence
from bench.scenario.model import Scenario
from bench.scenario.read import expanded
from bench.store.manifest import RecordingEnd


def plan_text(scenario: Scenario) -> str:
    """The scenario with every default as YAML, and in comments what it adds up to."""
    fixtures = fixtures_of(scenario)
    found = estimate(scenario, fixtures, books_of(scenario))
    limits = budget_sentences(found, scenario.budget) if scenario.budget is not None else []
    speech_s = sum(fixture.duration_ms for fixture in fixtures.values()) / 1000
    return (
        yaml.safe_dump(expanded(scenario), sort_keys=False, allow_unicode=True)
        + f"# {load_sentence(scenario.load, scenario.turns, list(scenario.targets))}\n"
        + "".join(f"# WARNING: {line}\n" for line in exposures_of(scenario))
        + f"# {cost_line(found)}\n"
        + "".join(f"# budget: {line}\n" for line in limits)
        + f"# {len(fixtures)} fixtures, {speech_s:.1f} s of audio; nothing was sent"
    )


def exposures_of(scenario: Scenario) -> list[str]:
    """How others could read what is sent to its targets."""
    targets = [scenario.target, *scenario.targets.values()]
    return list(dict.fromkeys(line for target in targets if target is not None for line in target.exposures))


def summary_line(scenario: Scenario) -> str:
    """One line on a scenario that can be run. Raises `BenchError` for a recording that is missing."""
    return (
        f"{load_sentence(scenario.load, scenario.turns, list(scenario.targets))}; {len(fixtures_of(scenario))} fixtures"
    )


def recording_ends(fixtures: Mapping[str, Fixture], checks: Mapping[str, RecordingCheck]) -> dict[str, RecordingEnd]:
    """Where speech ends in each recording and how sharp that is, as a run keeps it."""
    return {
        name: RecordingEnd(
            end_ms=fixture.speech_end_ms,
            earliest_ms=None if (ends := checks[name].ends) is None else round(ends.earliest_ms, 3),
            latest_ms=None if ends is None else round(ends.latest_ms, 3),
            annotated=fixture.annotated,
        )
        for name, fixture in fixtures.items()
    }


def recording_warnings(scenario: Scenario) -> list[str]:
    """Why the zero of a latency may be wrong: what speaks against the annotation of each recording."""
    doubts = recording_doubts(fixtures_of(scenario).values())
    return [f"recording {name}: {doubt}" for name, found in doubts.items() for doubt in found]
