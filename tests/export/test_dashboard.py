"""The dashboard asks only for series that are exported, with labels that these have."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.export import now
from bench.measure.metrics import METRICS
from tests.export.families import BY_SAMPLE

DASHBOARD = json.loads((Path(__file__).parents[2] / "deploy" / "grafana-dashboard.json").read_text("utf-8"))
SERIES = re.compile(r"\b(voicebench_\w+)(?:\{([^}]*)\})?")
LABEL = re.compile(r'(\w+)\s*[!=]~?\s*"([^"]*)"')


def queries(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        for name, value in part.items():
            if name in ("expr", "definition") and isinstance(value, str):
                yield value
            yield from queries(value)
    elif isinstance(part, list):
        for value in part:
            yield from queries(value)


@pytest.mark.parametrize("query", sorted(set(queries(DASHBOARD))))
def test_every_series_of_a_query_is_exported(query: str) -> None:
    asked = SERIES.findall(query)
    assert asked, query
    for name, labels in asked:
        family = BY_SAMPLE[name]
        of_run = family in (*now.OF_MOMENT, *now.OF_END) and family is not now.TARGET
        has = {"scenario", *family.labels} if of_run else {"scenario", "target", *family.labels}
        for label, value in LABEL.findall(labels):
            assert label in has, f"{name} has no label {label}"
            if label in ("metric", "share"):
                assert value in METRICS
        if "label_values(voicebench_run_info" not in query:
            assert 'scenario="$scenario"' in labels, "runs of other scenarios are left out"


def test_panels_are_told_apart_and_do_not_overlap() -> None:
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken = set()
    for panel in panels:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        cells = {(place["x"] + i, place["y"] + j) for i in range(place["w"]) for j in range(place["h"])}
        assert not cells & taken, panel["title"]
        taken |= cells


def test_a_dashboard_is_for_any_data_source() -> None:
    uids = set(re.findall(r'"uid": "([^"]*)"', json.dumps(DASHBOARD)))
    assert uids == {"${datasource}", DASHBOARD["uid"]}
