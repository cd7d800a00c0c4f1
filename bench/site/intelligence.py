"""The intelligence page: answers to questions with known answers, and tasks in conversations.

In: series. Out: `Intelligence`. Trap: a question that was not understood cannot be answered; the word error rate stands
beside the accuracy. Two sets of questions are never put together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.report.stats import wilson
from bench.site.digest import Seen
from bench.site.recent import Recent, recent
from bench.site.windows import Key, Night, Series

TASK = "task_success"


@dataclass(frozen=True, slots=True)
class KindFigure:
    """Right answers to questions of one kind, with Wilson's limits."""

    met: int
    n: int
    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class QuestionRow:
    """A target and a set of questions, in the newest run that asked them."""

    key: Key
    night: Night
    overall: KindFigure
    kinds: dict[str, KindFigure]
    wer: Seen | None


@dataclass(frozen=True, slots=True)
class QuestionSet:
    """One set of questions, which is one scenario, the best target first."""

    scenario: str
    description: str
    kinds: tuple[str, ...]
    rows: tuple[QuestionRow, ...]


@dataclass(frozen=True, slots=True)
class TaskRow:
    """A target in a scenario whose replies have to do something, over the last nights."""

    scenario: str
    key: Key
    success: Recent
    wer: Recent
    night: Night


@dataclass(frozen=True, slots=True)
class Intelligence:
    sets: tuple[QuestionSet, ...]
    tasks: tuple[TaskRow, ...]


def intelligence(every: Sequence[Series]) -> Intelligence:
    """What was answered right."""
    sets: dict[str, list[QuestionRow]] = {}
    tasks = []
    for series in every:
        asked = next((n for n in reversed(series.nights) if n.usable and n.target.questions), None)
        if asked is not None:
            sets.setdefault(series.scenario, []).append(_row(series.key, asked))
            continue
        success = recent(series, TASK)
        last = series.last_usable
        if success.value is not None and last is not None:
            tasks.append(TaskRow(series.scenario, series.key, success, recent(series, "wer"), last))
    found = []
    for scenario, rows in sets.items():
        kinds = tuple(sorted({kind for row in rows for kind in row.kinds}))
        rows.sort(key=lambda row: (-(row.overall.value or 0.0), row.key))
        found.append(QuestionSet(scenario, rows[0].night.run.description, kinds, tuple(rows)))
    tasks.sort(key=lambda row: (row.scenario, -(row.success.value or 0.0), row.key))
    return Intelligence(tuple(found), tuple(tasks))


def _row(key: Key, night: Night) -> QuestionRow:
    kinds = {each.name: _figure(each.met, each.n) for each in night.target.questions}
    met, n = sum(each.met for each in kinds.values()), sum(each.n for each in kinds.values())
    return QuestionRow(key, night, _figure(met, n), kinds, night.target.seen("wer"))


def _figure(met: int, n: int) -> KindFigure:
    found = wilson(met, n)
    low, high = found.limits or (None, None)
    return KindFigure(met, n, found.value, low, high)
