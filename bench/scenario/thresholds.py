"""The `thresholds:` and `objectives:` of a scenario: bounds that decide between pass and failed.

In: texts of the grammar in `threshold_grammar`, alone or in a mapping with more keys. Out: blocks whose `parsed` is the
threshold, or frozen objectives. Every mistake is named at its line before the first call.
Trap: `- error_rate: < 1%` is a mapping of one key in YAML, and means the same as the text `error_rate: < 1%`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, PlainSerializer, PlainValidator, WithJsonSchema

from bench.config.block import Block, Complaint, Count, DurationMs, LongerMs, Text, nearest, refusal
from bench.measure.outcome import ANSWERED
from bench.measure.records import TurnRecord
from bench.scenario.threshold_grammar import Objective, Threshold, parse_objective, parse_threshold

DEFAULT_THRESHOLDS = ("error_rate <= 5%", "session_error_rate <= 5%")
"""What a run must keep where its scenario bounds neither: one turn and one call of twenty may fail."""
DEFAULT_OBJECTIVES = ("first_audible_ms < 1500ms",)
"""What a good turn is where a search needs to know and the scenario does not say."""


class ThresholdBlock(Block):
    """One bound on a metric of the run."""

    threshold: Text = Field(
        description="metric{tag=value}: aggregation operator value.", examples=["first_audible_ms: p95 < 800ms"]
    )
    abort_on_fail: bool = Field(default=False, description="End the run as soon as the bound is not kept.")
    delay_ms: DurationMs = Field(
        default=0, alias="delay", description="abort_on_fail: not judged before this time.", examples=["30s"]
    )
    window_ms: LongerMs | None = Field(
        default=None,
        alias="window",
        description="abort_on_fail: judge the turns of the last so much time; absent: of the whole run.",
        examples=["1m"],
    )
    min_samples: Count | None = Field(
        default=None,
        description="Fewer than this are no data; absent: what a percentile needs (p95: 20, p99: 100), else 1.",
        examples=[20],
    )

    @property
    def parsed(self) -> Threshold:
        """The bound itself."""
        return parse_threshold(self.threshold)

    def complaints(self) -> Iterator[Complaint]:
        """A text that is no threshold, and keys that need `abort_on_fail`."""
        try:
            parse_threshold(self.threshold)
        except ValueError as error:
            yield Complaint((), str(error))
        if not self.abort_on_fail:
            for key, given in (("delay", self.delay_ms), ("window", self.window_ms)):
                if given:
                    yield Complaint((key,), "only with abort_on_fail: true")


def _list_of_bounds(value: object) -> object:
    """A list from a list, a mapping of metric to bound, or a single text."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, Mapping) and not set(value) & set(_KEYS):
        return [{metric: bound} for metric, bound in value.items()]
    if value is None or isinstance(value, list | tuple):
        return value
    raise refusal("allowed: a list of thresholds, such as ['first_audible_ms: p95 < 800ms', 'error_rate < 1%']")


_KEYS = ("threshold", "abort_on_fail", "delay", "window", "min_samples")


def _bound(value: object) -> object:
    """A text, or `{metric: bound}`, as the mapping that it stands for."""
    if isinstance(value, str):
        return {"threshold": value}
    if isinstance(value, Mapping) and "threshold" not in value:
        metrics = [key for key in value if key not in _KEYS]
        if len(metrics) == 1 and isinstance(value[metrics[0]], str):
            rest = {key: item for key, item in value.items() if key in _KEYS}
            return {"threshold": f"{metrics[0]}: {value[metrics[0]]}", **rest}
        raise refusal(
            f"found {', '.join(map(repr, value)) or 'nothing'}; allowed: one threshold, such as error_rate < 1%"
        )
    return value


def _short_form(block: ThresholdBlock) -> object:
    """The text alone where nothing else was said."""
    data = block.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    return data["threshold"] if len(data) == 1 else data


_BOUND_SCHEMA = {
    "anyOf": [
        {"type": "string", "minLength": 1},
        {
            "type": "object",
            "properties": {
                "threshold": {"type": "string", "minLength": 1},
                "abort_on_fail": {"type": "boolean"},
                "delay": {"type": "string"},
                "window": {"type": "string"},
                "min_samples": {"type": "integer", "minimum": 1},
            },
        },
    ]
}

BoundField = Annotated[
    ThresholdBlock,
    BeforeValidator(_bound),
    PlainSerializer(_short_form, when_used="json"),
    WithJsonSchema(_BOUND_SCHEMA),
]
BoundsField = Annotated[
    tuple[BoundField, ...],
    BeforeValidator(_list_of_bounds),
    WithJsonSchema({"anyOf": [{"type": "array", "items": _BOUND_SCHEMA}, {"type": "object"}, {"type": "string"}]}),
]
"""`thresholds:`; a list, or a mapping of metric to bound."""


def _objective(value: object) -> Objective:
    if isinstance(value, Objective):
        return value
    text = value
    if isinstance(value, Mapping) and len(value) == 1:
        text = " ".join(str(part) for part in next(iter(value.items())))
    if not isinstance(text, str):
        raise refusal(f"found {value!r}; allowed: a bound on one turn, such as first_audible_ms < 800ms")
    try:
        return parse_objective(text)
    except ValueError as error:
        raise refusal(str(error)) from error


def _as_list(value: object) -> object:
    if isinstance(value, str):
        return [value]
    return [{key: item} for key, item in value.items()] if isinstance(value, Mapping) else value


ObjectiveField = Annotated[
    Objective,
    PlainValidator(_objective),
    PlainSerializer(lambda objective: objective.text, when_used="json"),
    WithJsonSchema({"anyOf": [{"type": "string", "minLength": 1}, {"type": "object", "maxProperties": 1}]}),
]
ObjectivesField = Annotated[
    tuple[ObjectiveField, ...],
    BeforeValidator(_as_list),
    WithJsonSchema({"anyOf": [{"type": "array", "items": {"type": "string"}}, {"type": "object"}, {"type": "string"}]}),
]
"""`objectives:`; what every good turn keeps."""


def default_objectives() -> tuple[Objective, ...]:
    """What a good turn is where nobody said."""
    return tuple(parse_objective(text) for text in DEFAULT_OBJECTIVES)


def bounds_in_force(
    given: tuple[ThresholdBlock, ...], targets: Sequence[str] = ()
) -> list[tuple[ThresholdBlock, bool]]:
    """The bounds of a run, each with whether it is the program's own.

    A default holds unless the scenario bounds the same metric for all rows; with several `targets` it holds for each of
    them, unless the scenario bounds the same metric for that one: a target that fails must not hide behind the others.
    """
    parsed = [block.parsed for block in given]
    own = {(threshold.metric.name, threshold.tags) for threshold in parsed}
    defaults = [
        (ThresholdBlock(threshold=_of_target(text, tag)), (tag,) if tag else ())
        for text in DEFAULT_THRESHOLDS
        for tag in ([("target", name) for name in targets] if len(targets) > 1 else [None])
    ]
    return [(block, False) for block in given] + [
        (block, True)
        for block, tags in defaults
        if not own & {(block.parsed.metric.name, ()), (block.parsed.metric.name, tags)}
    ]


def _of_target(text: str, tag: tuple[str, str] | None) -> str:
    """`error_rate <= 5%` for the rows of a tag alone."""
    metric, _, rest = text.partition(" ")
    return text if tag is None else f"{metric}{{{'='.join(tag)}}} {rest}"


def unknown_tag_values(blocks: tuple[ThresholdBlock, ...], known: Mapping[str, Any]) -> Iterator[tuple[int, str]]:
    """Thresholds by place that choose rows which no turn can have, each with a sentence; `known`: values by tag."""
    for place, block in enumerate(blocks):
        for tag, value in block.parsed.tags:
            values = known.get(tag)
            if values is not None and value not in values:
                allowed = ", ".join(sorted(values)) or "none"
                chosen = " (a step's id is chosen by step_id)" if tag == "step" and value in known["step_id"] else ""
                yield place, f"no turn has {tag}={value}{nearest(value, values)}; allowed: {allowed}{chosen}"


def broken_objective(row: TurnRecord, objectives: tuple[Objective, ...]) -> str | None:
    """Why `row` is not a good turn: its status, or the first objective that it did not keep; None for a good one.

    A value that was not measured keeps no objective, but for `task_success` of a step without expectations.
    """
    if row.status not in ANSWERED:
        return row.status
    for objective in objectives:
        if objective.phase not in {None, row.phase}:
            continue
        if not objective.kept(getattr(row, objective.column)):
            return objective.text
    return None
