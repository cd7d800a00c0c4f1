"""From a run folder to its digest: the figures of each target, by the same functions that reports and gate use.

In: a run folder with its manifest. Out: a `RunDigest`.
Trap: a run whose rows are missing, or whose machine was overloaded, describes no target: it is listed with its verdict
and has no figures.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from hashlib import sha256
from typing import Any

import numpy as np

from bench.measure.outcome import ANSWERED
from bench.report.chartdata import headline
from bench.report.compare.conditions import host_of, told
from bench.report.compare.measures import Sample, measures, sample
from bench.report.gate.gate import night_of, percentile_night
from bench.report.gate.nights import Night
from bench.report.phrases import spoken
from bench.report.stats import Codes, Estimate, Floats, clustered_wilson, percentiles, pooled, pooled_errors, wilson
from bench.report.thresholds import objectives_of
from bench.report.view import Mask, View, codes_of, equals, text, view_of
from bench.report.wer_tables import scored_words
from bench.scenario.threshold_grammar import Measure
from bench.site.digest import (
    AVAILABILITY,
    NO_CONDITION,
    Condition,
    Fact,
    Fault,
    Questions,
    RunDigest,
    Seen,
    TargetDigest,
    Words,
)
from bench.site.history import StoredRun
from bench.site.lean import LATENCIES, part_of, read_lean, targets_of
from bench.store.manifest import CalledTarget

FILES = ("report.html", "turns.csv", "turns.parquet", "summary.json", "gate.html", "report.md", "run.json")
NO_FIGURES = ("incomplete", "invalid", "not finished")
"""Verdicts of runs that say nothing of a target."""
SHARES = ("error_rate", "stall_rate", "task_success", "goodput")
OTHERS = ("text_tokens_per_s: p50",)
UNSAID = "-"
MOST_FAULTS = 3
_NUMBERED = re.compile(r"(.+?)-\d+$")
FACTS_OF_A_TARGET = ("model", "host", "dialect")
"""What a target is known by anyway."""


def digest_of(run: StoredRun, signature: str = "") -> RunDigest:
    """The figures of `run`. Raises `BenchError` when a table cannot be read."""
    manifest = run.manifest
    session = manifest.scenario.get("session") or {}
    tags = manifest.scenario.get("tags") or {}
    found = RunDigest(
        run_id=manifest.run_id,
        folder=run.folder.name,
        scenario=manifest.scenario_name,
        description=str(manifest.scenario.get("description") or ""),
        started_at=manifest.started_at,
        ended_at=manifest.ended_at,
        verdict=run.verdict,
        exit_code=manifest.exit_code,
        reasons=manifest.reasons,
        accepted=run.accepted,
        load=manifest.load_sentence or "-",
        frame=str(session.get("frame") or "-"),
        region=str(tags.get("region") or "-"),
        questions=_asks_questions(manifest.scenario),
        books=[
            book
            for book in (manifest.own_price_book, *(each.own_price_book for each in manifest.targets))
            if book is not None
        ],
        files=[name for name in FILES if (run.folder / name).exists()],
        signature=signature,
    )
    if run.verdict in NO_FIGURES:
        found.targets = [TargetDigest(**_named(run, each)) for each in targets_of(manifest)]
        return found
    objectives = objectives_of(manifest)
    whole = read_lean(run.folder, manifest, [each.column for each in objectives])
    views = [(target, view_of(part_of(whole, target))) for target in targets_of(manifest)]
    found.facts = {
        title: Fact(key=each.key, level=each.level, value=each.value, metrics=list(each.metrics))
        for title, each in told(views[0][1]).items()
        if each.key not in FACTS_OF_A_TARGET and each.level != "note"
    }
    found.kind = kind_of(found.facts)
    found.targets = [_target(run, target, view, questions=found.questions) for target, view in views]
    return found


def kind_of(facts: dict[str, Fact]) -> str:
    """A short text that is the same for the same facts."""
    said = sorted((title, fact.level, fact.value or "", fact.value is None) for title, fact in facts.items())
    return sha256(repr(said).encode()).hexdigest()[:16]


def _named(run: StoredRun, target: CalledTarget) -> dict[str, Any]:
    where = host_of(target) or "-"
    return {
        "name": target.name or target.model or where,
        "model": target.model,
        "where": where,
        "dialect": target.dialect,
        "priced_as": _priced_as(run, target),
    }


def _priced_as(run: StoredRun, target: CalledTarget) -> str | None:
    """The model whose prices the scenario asks for, else its own."""
    pricing = run.manifest.scenario.get("pricing") or {}
    own = ((run.manifest.scenario.get("targets") or {}).get(target.name or "") or {}).get("pricing") or {}
    return {**pricing, **own}.get("model") or target.model


def _target(run: StoredRun, target: CalledTarget, view: View, *, questions: bool) -> TargetDigest:
    metric = headline(view)
    ended, good = good_calls(view)
    transports = view.sessions["transport"].dropna()
    found = TargetDigest(
        **_named(run, target),
        transport=str(transports.iloc[0]) if len(transports) else "-",
        calls=int(ended.sum()),
        good_calls=int((ended & good).sum()),
        turns=int(view.measured.sum()),
        answered=int(view.answered.sum()),
        headline=metric.name if metric is not None and view.answered.any() else None,
        faults=_faults(view),
        accents=_accents(view),
        conditions=_conditions(view, metric.name if metric is not None else None),
        questions=_questions(view) if questions else [],
    )
    for measure, seen in _figures(view, found.headline):
        if seen is not None:
            found.figures[measure] = seen
    availability = wilson(found.good_calls, found.calls)
    if found.calls:
        bad = found.calls - found.good_calls
        found.figures[AVAILABILITY] = Seen(
            metric=AVAILABILITY,
            title=AVAILABILITY,
            unit="share",
            decimals=4,
            worse="lower",
            value=availability.value,
            **_limits(availability),
            n=found.calls,
            events=min(bad, found.good_calls),
            rows=found.calls,
            whole=found.calls,
        )
    return found


def good_calls(view: View) -> tuple[Mask, Mask]:
    """Which calls count for the availability, and which were good (see `AVAILABILITY_DEFINITION`)."""
    bad_turns = view.measured & ~view.turns["status"].isin([*ANSWERED, "early"]).to_numpy(dtype=np.bool_)
    with_bad = np.zeros(len(view.sessions), dtype=np.bool_)
    if bad_turns.any():
        with_bad = view.sessions["session_id"].isin(view.turns["session_id"][bad_turns]).to_numpy(dtype=np.bool_)
    failed = equals(view.sessions, "status", "failed")
    cut_off = equals(view.sessions, "status", "stopped") & ~with_bad
    return view.calls_measured & ~cut_off, view.calls_ready & ~failed & ~with_bad


def _figures(view: View, chosen: str | None) -> Iterable[tuple[str, Seen | None]]:
    """Every measure with its value; intervals of the headline by resampling, as in the report."""
    for name in (*LATENCIES, "session_ready_ms"):
        pair = measures([f"{name}: p50", f"{name}: p95"])
        yield from _percentiles(view, pair, resample=name == chosen)
    yield from _percentiles(view, measures(OTHERS), resample=False)
    for name in (*SHARES, "wer", "cost_per_minute_usd"):
        measure = measures([name])[0]
        yield measure.named, _seen(measure, sample(view, measure))


def _percentiles(view: View, pair: list[Measure], *, resample: bool) -> Iterable[tuple[str, Seen]]:
    found = sample(view, pair[0])
    if not found.n or found.lost == found.n:
        return
    calls = np.unique(found.calls, return_inverse=True)[1]
    percents = [each.percent or 50.0 for each in pair]
    estimates = percentiles(found.values, calls, percents, resample=resample).estimates
    for measure, estimate in zip(pair, estimates, strict=True):
        if estimate.value is not None:
            night = percentile_night(found, calls, estimate.value, error_of(estimate))
            yield measure.named, _of(measure, estimate, found.n, night)


def _seen(measure: Measure, found: Sample) -> Seen | None:
    night = night_of(found)
    if night is None:
        return None
    calls = np.unique(found.calls, return_inverse=True)[1]
    if found.statistic.kind == "share":
        events = np.bincount(calls, weights=found.values[:, 0])
        whole = np.bincount(calls, weights=found.values[:, 1])
        estimate = clustered_wilson([(int(a), int(b)) for a, b in zip(events, whole, strict=True)])
    elif found.statistic.kind == "counts":
        estimate, _ = pooled_errors(found.values[:, 0], found.values[:, 1], calls)
    else:
        estimate, _ = pooled(found.values[:, 0], found.values[:, 1], calls)
    said_of = float(found.values[:, 1].sum()) if found.statistic.kind in {"share", "counts"} else 0.0
    return _of(measure, replace(estimate, value=night.value), found.n, night).model_copy(update={"whole": said_of})


def _of(measure: Measure, estimate: Estimate, n: int, night: Night) -> Seen:
    metric = measure.metric
    return Seen(
        metric=metric.name,
        title=metric.title,
        fold="" if measure.fold == "whole" else measure.observed_name,
        unit=metric.unit,
        decimals=metric.decimals,
        worse=metric.worse or "higher",
        value=estimate.value,
        **_limits(estimate),
        n=n,
        error=night.error,
        events=night.events,
        rows=night.rows,
    )


def error_of(estimate: Estimate) -> float:
    """The standard error that 95 % limits say; 0 where there are none."""
    if estimate.limits is None or not all(map(np.isfinite, estimate.limits)):
        return 0.0
    return (estimate.limits[1] - estimate.limits[0]) / (2 * 1.959963984540054)


def _limits(estimate: Estimate) -> dict[str, Any]:
    return {} if estimate.limits is None else {"low": estimate.limits[0], "high": estimate.limits[1]}


def _accents(view: View) -> list[Words]:
    """Each accent with its pooled WER, in the order of the alphabet."""
    pairs, rows = scored_words(view, np.ones(len(view.turns), dtype=np.bool_))
    codes, names = codes_of(view.turns["accent"][rows])
    calls = view.calls_of_turns[rows]
    found = []
    for code, name in sorted(enumerate(names), key=lambda each: each[1]):
        part = codes == code
        estimate = _of_words(pairs[part, 0], pairs[part, 1], calls[part])
        found.append(Words(name=name, words=int(pairs[part, 1].sum()), wer=estimate.value, **_limits(estimate)))
    return found


def _of_words(errors: Floats, words: Floats, calls: Codes) -> Estimate:
    """A pooled WER with Wilson's limits over calls: resampling would take as long as all the rest of a run."""
    if errors.sum() >= words.sum():
        return pooled_errors(errors, words, calls)[0]
    wrong, spoken = (np.bincount(calls, weights=each).astype(np.intp) for each in (errors, words))
    return clustered_wilson(zip(wrong.tolist(), spoken.tolist(), strict=True))


def _conditions(view: View, chosen: str | None) -> list[Condition]:
    """The figures under each condition, where there is more than none."""
    codes, names = codes_of(view.turns["condition"])
    if set(names) <= {UNSAID} or chosen is None:
        return []
    found = []
    for code, name in enumerate(names):
        part = codes == code
        inside = view_of(replace(view.run, turns=view.turns[part].reset_index(drop=True)))
        figures: dict[str, Seen | None] = dict(
            _percentiles(inside, measures([f"{chosen}: p50", f"{chosen}: p95"]), resample=False)
        )
        for metric in ("wer", "error_rate"):
            measure = measures([metric])[0]
            figures[metric] = _seen(measure, sample(inside, measure))
        known = {measure: seen for measure, seen in figures.items() if seen is not None}
        found.append(
            Condition(
                name=NO_CONDITION if name == UNSAID else name, turns=int((view.measured & part).sum()), figures=known
            )
        )
    return found


def _questions(view: View) -> list[Questions]:
    """By kind, which is the name of a question without its number: `arithmetic` of `arithmetic-07`."""
    asked = view.measured & view.turns["expect_pass"].notna().to_numpy(dtype=np.bool_)
    met: Counter[str] = Counter()
    of: Counter[str] = Counter()
    rows = view.turns[asked]
    for fixture, passed in zip(rows["fixture"], rows["expect_pass"], strict=True):
        match = _NUMBERED.fullmatch(str(fixture))
        kind = match[1] if match else "other"
        of[kind] += 1
        met[kind] += bool(passed)
    return [Questions(name=kind, met=met[kind], n=of[kind]) for kind in sorted(of)]


def _faults(view: View) -> list[Fault]:
    """What failed, the most frequent first: calls and turns together, each by its kind."""
    failed_turns = view.measured & ~view.turns["status"].isin([*ANSWERED, "early"]).to_numpy(dtype=np.bool_)
    failed_calls = view.calls_measured & equals(view.sessions, "status", "failed")
    counted: Counter[str] = Counter()
    said: dict[str, str] = {}
    wanted = ["status", "error_kind", "error_message"]
    for whole, failed in ((view.turns, failed_turns), (view.sessions, failed_calls)):
        if not failed.any():
            continue
        frame = whole[wanted][failed]
        for status, kind, message in zip(frame["status"], frame["error_kind"], frame["error_message"], strict=True):
            name = text(kind) or str(status)
            counted[name] += 1
            said.setdefault(name, spoken(text(message))[:200] if text(message) else "")
    return [Fault(kind=name, count=count, message=said[name]) for name, count in counted.most_common(MOST_FAULTS)]


def _asks_questions(scenario: dict[str, object]) -> bool:
    steps = scenario.get("conversation")
    return isinstance(steps, list) and any(isinstance(step, dict) and step.get("expect_each") for step in steps)
