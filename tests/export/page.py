"""The tables of docs/export.md, from the declarations; `python -m tests.export.page` writes them into the page."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.export import declared, now
from bench.export.declared import BOUNDS_OF_UNIT, families_of
from bench.export.family import Family
from bench.measure.metrics import METRICS, Metric

PAGE = Path(__file__).parents[2] / "docs" / "export.md"
SETS = {
    "reply": declared.REPLY_S, "connect": declared.CONNECT_S, "speech": declared.SPEECH_S, "gap": declared.GAP_S,
    "own delay": declared.OWN_S, "tokens/s": BOUNDS_OF_UNIT["tokens/s"], "times": BOUNDS_OF_UNIT["x"],
    "words/min": BOUNDS_OF_UNIT["words/min"],
}  # fmt: skip


def metric_row(metric: Metric) -> str:
    """`| first_audible_ms | voicebench_turn_first_audible_seconds | reply |`."""
    families = families_of(metric)
    label = {"meter": metric.name, "outcome": metric.name, "metric": metric.name, "share": metric.name}
    names = []
    for family in families:
        told = [f'{{{name}="{label[name]}"}}' for name in family.labels]
        names.append(f"`{family.sample_name}{''.join(told)}`")
    buckets = next((name for name, bounds in SETS.items() if bounds == families[0].bounds), "")
    return f"| `{metric.name}` | {' / '.join(names)} | {buckets} |"


def family_row(family: Family) -> str:
    labels = ", ".join(f"`{name}`" for name in family.labels)
    return f"| `{family.sample_name}` | {family.kind} | {labels} | {family.help} |"


def bucket_row(name: str, bounds: Sequence[float]) -> str:
    return f"| {name} | {', '.join(f'{bound:g}' for bound in bounds)} |"


def most_series() -> int:
    """Series of one target at most, those of turns and calls by status left out."""
    histograms = sum(len(family.bounds) + 3 for family in declared.HISTOGRAMS.values())
    meters = sum(len(declared.meters(unit)) for unit in ("tokens", "USD", "words"))
    return histograms + meters + 2 * (len(declared.POOLED) + len(declared.SHARES)) + len(declared.ALONE) + 3


def tables() -> Iterator[tuple[str, list[str]]]:
    yield "metrics", ["| metric | series | buckets |", "|---|---|---|", *map(metric_row, METRICS.values())]
    yield "buckets", ["| buckets | upper bounds |", "|---|---|", *(bucket_row(*each) for each in SETS.items())]
    rows = [*map(family_row, (declared.TURNS, declared.CALLS, *now.OF_MOMENT, *now.OF_END))]
    yield "others", ["| series | kind | labels | meaning |", "|---|---|---|---|", *rows]
    yield "bound", [f"That is at most {most_series():,} series for each target."]


def renewed(page: str) -> str:
    for name, lines in tables():
        body = "\n".join(lines)
        page, count = re.subn(
            rf"(<!-- {name} -->\n).*?(\n<!-- /{name} -->)",
            lambda found, body=body: found[1] + body + found[2],
            page,
            flags=re.S,
        )  # fmt: skip
        assert count == 1, name
    return page


if __name__ == "__main__":
    PAGE.write_text(renewed(PAGE.read_text("utf-8")), "utf-8")
