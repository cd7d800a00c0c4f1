"""The small language of bounds: `first_audible_ms{accent=scottish,phase=hold}: p95 < 800ms`, and objectives of a turn.

In: a text. Out: a `Threshold` (a bound on many rows), a `Measure` (the same without a bound) or an `Objective` (a bound
on one turn), or a ValueError that says what was found, what is allowed and the nearest match.

    threshold = metric [ "{" tag "=" value { "," tag "=" value } "}" ] [ ":" ] [ aggregation ] operator value
    objective = metric operator value

Trap: a value needs its unit, so that `error_rate < 1` cannot pass for 1 % and `p95 < 2` not for two seconds.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Any, Final, Literal

from bench.config.block import nearest
from bench.config.units import parse_duration
from bench.measure.metrics import METRICS, Metric

Operator = Literal["<", "<=", ">", ">=", "==", "!="]
Fold = Literal["percentile", "mean", "min", "max", "sum", "whole"]
"""How rows become one number; `whole` is a metric that is one number of a run by its definition, such as a rate."""

_COMPARE: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}
ALIASES: Final = {"cost_per_minute": "cost_per_minute_usd", "cost": "cost_usd"}
TURN_TAGS: Final = ("accent", "voice", "caller_kind", "language", "fixture", "condition", "step", "step_id", "turn")
"""Columns of turns alone by which rows can be chosen."""
CALL_TAGS: Final = ("phase", "target", "cell", "provider", "model", "dialect", "transport", "worker")
"""Columns of turns and of calls alike."""
_FOLDS: Final[dict[str, Fold]] = {
    "mean": "mean",
    "avg": "mean",
    "min": "min",
    "max": "max",
    "sum": "sum",
    "total": "sum",
}
_MEDIAN = ("median", "med")
_OF_CALLS = {"connect_error_rate", "session_error_rate", "no_greeting_rate", "expired_rate", "cost_per_minute_usd"}
"""Metrics of a run that are computed from calls, not from turns."""
_TEXT = re.compile(
    r"\s*(?P<metric>[A-Za-z_][\w.]*)?\s*(?:\{(?P<tags>[^}]*)\})?\s*:?\s*"
    r"(?P<fold>[A-Za-z]\w*(?:\.\d+)?(?:\(\s*[\d.]*\s*\))?)?\s*(?P<op><=|>=|==|!=|<|>|=)?\s*(?P<value>.*?)\s*",
    re.DOTALL,
)
_PERCENTILE = re.compile(r"p\(?\s*(\d{1,2}(?:\.\d+)?)\s*\)?")
_NUMBER = r"-?\d+(?:\.\d+)?"
TASK = "task_success"
"""Of one turn: 100 % where all of its expectations were met, else 0 %."""
_SHAPE = "metric{tag=value}: p95 < 800ms"


@dataclass(frozen=True, slots=True)
class Objective:
    """What one turn must keep; a turn without the value does not keep it, but for `TASK`, which not every turn has."""

    metric: Metric
    op: Operator
    bound: float
    """In the unit of the metric; a share is 0 to 1."""
    text: str
    phase: str | None = None
    """The only phase whose turns have to keep it; None for all."""

    @property
    def column(self) -> str:
        """The column of a turn's row that holds its value."""
        return "expect_pass" if self.metric.name == TASK else self.metric.name

    @property
    def kept_without(self) -> bool:
        """Whether a turn that has no value keeps it: a step without expectations has no task to fail."""
        return self.metric.name == TASK

    def kept(self, value: float | None) -> bool:
        """Whether `value` of one turn is within the bound."""
        return self.kept_without if value is None else bool(self.within(value))

    def within(self, values: Any) -> Any:
        """The comparison itself, of a number or of an array of numbers."""
        return _COMPARE[self.op](values, self.bound)


@dataclass(frozen=True, slots=True)
class Measure:
    """A metric, the rows that it is taken of, and how they become one number."""

    metric: Metric
    tags: tuple[tuple[str, str], ...]
    fold: Fold
    percent: float | None
    """The percentile, 0 to 100; None for other folds."""

    @property
    def named(self) -> str:
        """As it is written: `first_audible_ms{accent=scottish}: p95`."""
        tags = ",".join(f"{tag}={value}" for tag, value in self.tags)
        fold = "" if self.fold == "whole" else f": {self.observed_name}"
        return f"{self.metric.name}{f'{{{tags}}}' if tags else ''}{fold}"

    @property
    def of_calls(self) -> bool:
        """Whether it is computed from the rows of calls; else from those of turns."""
        return self.metric.scope == "session" or self.metric.name in _OF_CALLS

    @property
    def observed_name(self) -> str:
        """`p95`, `max`, or the metric itself where it is one number of a run."""
        if self.fold == "percentile":
            return f"p{self.percent:g}"
        return self.metric.name if self.fold == "whole" else self.fold


@dataclass(frozen=True, slots=True)
class Threshold(Measure):
    """What the rows of a run must keep together."""

    op: Operator
    bound: float
    text: str

    def kept(self, observed: float) -> bool:
        """Whether `observed` is within the bound."""
        return bool(_COMPARE[self.op](observed, self.bound))


def parse_threshold(text: str) -> Threshold:
    """The threshold that `text` says; ValueError says what is wrong with it."""
    parts = _parts(text)
    metric = _metric(parts["metric"], text)
    op = _operator(parts, text)
    fold, percent = _fold(metric, parts["fold"])
    tags = tuple(_tags(parts["tags"]))
    threshold = Threshold(metric, tags, fold, percent, op, parse_value(parts["value"], metric), " ".join(text.split()))
    _check_tags(threshold)
    return threshold


def parse_measure(text: str) -> Measure:
    """The measure that `text` says, such as `first_audible_ms: p95` or `wer`; ValueError says what is wrong with it."""
    parts = _parts(text)
    if parts["op"] or parts["value"]:
        raise ValueError(f"'{_short(text)}' has a bound; allowed: {_SHAPE.removesuffix(' < 800ms')}")
    metric = _metric(parts["metric"], text)
    measure = Measure(metric, tuple(_tags(parts["tags"])), *_fold(metric, parts["fold"]))
    _check_tags(measure)
    return measure


def parse_objective(text: str) -> Objective:
    """The objective that `text` says; ValueError says what is wrong with it."""
    parts = _parts(text)
    metric = _metric(parts["metric"], text)
    if metric.name != TASK and (metric.scope != "turn" or metric.unit in {"USD", "tokens", "words"}):
        raise ValueError(
            f"'{metric.name}' is not a property of one turn's quality; allowed: {_listed(objective_metrics())}"
        )
    if parts["fold"] or parts["tags"] is not None:
        raise ValueError(
            f"'{text.strip()}' has {'an aggregation' if parts['fold'] else 'tags'}; an objective is about one turn, "
            f"such as {metric.name} < {_example(metric)}"
        )
    return Objective(metric, _operator(parts, text), parse_value(parts["value"], metric), " ".join(text.split()))


def objective_metrics() -> list[str]:
    """The metrics that an objective may bound."""
    shown = {"latency", "taking", "delivery", "rates"}
    own = {"wer", "cer", TASK}
    return [metric.name for metric in METRICS.values() if metric.scope == "turn" and metric.group in shown] + sorted(
        own
    )


def parse_value(text: str, metric: Metric) -> float:
    """`text` in the unit of `metric`: milliseconds, a share from 0 to 1, USD, or a plain number."""
    if not text:
        raise ValueError(f"no value after the operator; allowed: one such as {_example(metric)}")
    if metric.unit in {"ms", "s"}:
        try:
            ms = parse_duration(text)
        except ValueError as error:
            raise ValueError(f"'{metric.name}' is a time: {error}") from error
        return ms / (1 if metric.unit == "ms" else 1000)
    pattern, allowed, scale = _VALUES.get(metric.unit, (rf"({_NUMBER})\s*(?:{metric.unit})?", "a number", 1.0))
    match = re.fullmatch(pattern, text)
    if match is None:
        raise ValueError(f"found '{text}' for '{metric.name}'; allowed: {allowed}, such as {_example(metric)}")
    number = float(next(group for group in match.groups() if group is not None)) * scale
    if metric.unit == "share" and metric.aggregate == "rate" and not 0 <= number <= 1:
        raise ValueError(f"found '{text}' for '{metric.name}'; allowed: 0% to 100%")
    return number


_VALUES: Final[dict[str, tuple[str, str, float]]] = {
    "share": (rf"({_NUMBER})\s*%", "a share in percent", 0.01),
    "USD": (rf"\$\s*({_NUMBER})|({_NUMBER})\s*(?:\$|USD)", "US dollars", 1.0),
    "tokens/s": (rf"({_NUMBER})\s*(?:tokens/s|/s)?", "tokens per second", 1.0),
}


def show_value(value: float, metric: Metric) -> str:
    """`value` in the unit of `metric`, as a person writes it."""
    if metric.unit == "share":
        return f"{100 * value:.2f}".rstrip("0").rstrip(".") + " %"
    if metric.unit == "USD":
        return f"${value:,.{max(2, min(6, metric.decimals))}f}"
    if metric.unit in {"ms", "s"}:
        return f"{value:,.{metric.decimals}f} {metric.unit}"
    unit = "" if metric.unit in {"count"} else f" {metric.unit}"
    return f"{value:,.{metric.decimals}f}{unit}"


def _parts(text: str) -> dict[str, str]:
    match = _TEXT.fullmatch(text)
    if match is None or text.count("{") != text.count("}"):
        raise ValueError(f"'{_short(text)}' cannot be read; allowed: {_SHAPE}")
    return match.groupdict()


def _metric(name: str | None, text: str) -> Metric:
    if not name:
        raise ValueError(f"'{_short(text)}' names no metric; allowed: {_SHAPE}")
    known = {**METRICS, **{alias: METRICS[real] for alias, real in ALIASES.items()}}
    if name not in known:
        raise ValueError(f"unknown metric '{name}'{nearest(name, known) or '; allowed: ' + _listed(METRICS)}")
    return known[name]


def _operator(parts: dict[str, str], text: str) -> Operator:
    op = parts["op"]
    if op is None or op == "=":
        found = "'='" if op else "no operator"
        raise ValueError(f"{found} in '{_short(text)}'; allowed: < <= > >= == !=")
    return op  # type: ignore[return-value]


def _fold(metric: Metric, word: str | None) -> tuple[Fold, float | None]:
    whole = metric.scope == "run" or metric.aggregate in {"rate", "pooled", "ratio"}
    if word is None:
        if whole:
            return "whole", None
        if metric.aggregate == "sum":
            return "sum", None
        raise ValueError(f"'{metric.name}' needs an aggregation: p50, p95, p99, mean, min or max, such as p95")
    lower = word.lower()
    if whole and lower != "rate":
        raise ValueError(f"'{metric.name}' is one number of the run and takes no aggregation; found '{word}'")
    if whole:
        return "whole", None
    if lower in _MEDIAN:
        return "percentile", 50.0
    percentile = _PERCENTILE.fullmatch(lower)
    if percentile is not None and 0 < float(percentile[1]) < 100:
        return "percentile", float(percentile[1])
    if lower in _FOLDS and (lower not in {"sum", "total"} or metric.aggregate == "sum"):
        return _FOLDS[lower], None
    allowed = ["p50", "p95", "p99", "p99.9", "median", "mean", "min", "max"]
    allowed += ["sum"] if metric.aggregate == "sum" else []
    raise ValueError(
        f"'{metric.name}' has no aggregation '{word}'; allowed: {', '.join(allowed)}{nearest(lower, allowed)}"
    )


def _tags(text: str | None) -> Iterable[tuple[str, str]]:
    seen = set[str]()
    for part in (text or "").split(","):
        if not part.strip():
            if text is not None and text.strip():
                raise ValueError(f"an empty tag in '{{{text}}}'; allowed: {{tag=value, tag=value}}")
            continue
        tag, sign, value = (piece.strip() for piece in part.replace(":", "=", 1).partition("="))
        value = value.strip("'\"")
        if not sign or not value or not tag:
            raise ValueError(f"'{part.strip()}' in '{{{text}}}' is no tag; allowed: tag=value")
        if tag in seen:
            raise ValueError(f"tag '{tag}' comes twice; allowed: once")
        seen.add(tag)
        yield tag, value


def _check_tags(measure: Measure) -> None:
    allowed = CALL_TAGS if measure.of_calls else (*TURN_TAGS, *CALL_TAGS)
    for tag, _ in measure.tags:
        if tag in allowed:
            continue
        if tag in TURN_TAGS:
            raise ValueError(
                f"'{measure.metric.name}' is measured by call, and '{tag}' belongs to a turn; "
                f"allowed: {', '.join(allowed)}"
            )
        raise ValueError(f"unknown tag '{tag}'{nearest(tag, allowed)}; allowed: {', '.join(allowed)}")


def _listed(names: Collection[str]) -> str:
    return ", ".join(names)


def _short(text: str) -> str:
    stripped = " ".join(text.split())
    return stripped if len(stripped) <= 80 else f"{stripped[:77]}..."


def _example(metric: Metric) -> str:
    known = {"ms": "800ms", "s": "90s", "share": "5%", "USD": "$0.05", "tokens/s": "20", "words/min": "150", "x": "1"}
    return known.get(metric.unit, "1")
