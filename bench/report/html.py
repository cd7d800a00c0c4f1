"""The report as one page that needs nothing else: no script, no network, its style and charts within.

In: a `Summary`. Out: HTML.
Trap: transcripts, messages and headers come from outside; every value is escaped by the template engine, and the
page's own policy forbids scripts and requests should one slip through.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import yaml
from jinja2 import BaseLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from bench.config.redactor import printable
from bench.measure.metrics import METRICS
from bench.report import geometry, phrases
from bench.report.bill_plots import price_history
from bench.report.ceiling_plots import ceiling_plots
from bench.report.findings import MetricRow, Summary
from bench.report.findings_parts import Rate
from bench.report.findings_targets import TargetRow
from bench.report.health_text import ANSWERS
from bench.report.sections import sections
from bench.report.traffic_plots import traffic_plots

LOOKS = {"pass": ("good", "✓"), "failed": ("bad", "✗"), "unreachable": ("bad", "✗"), "no data": ("bad", "!")}
"""Tone and symbol of a verdict."""
DOUBTFUL = ("doubtful", "!")
SHOWN = frozenset({"loop_lag_ms", "frame_late_ms", "recv_lag_ms", "workers", "dropped_arrivals", "arrivals"})
"""Parts of the stored health that have a place in a table; others are printed as they are."""

Card = tuple[str, str, str]


def render_html(summary: Summary, pictures: Mapping[str, str] | None = None, folder: str = "") -> str:
    """The whole page; the same text each time the same summary is given.

    `pictures` of recordings are data URIs; `folder` is where the run folder lies from the page, such as `../run/`.
    """
    charts = summary.charts
    tone, symbol = LOOKS.get(summary.verdict.name, DOUBTFUL)
    page = (
        environment()
        .get_template("report.html.j2")
        .render(
            s=summary,
            pictures=pictures or {},
            w=phrases,
            sections=sections(summary),
            symbol=symbol,
            tone=tone,
            cards=_cards(summary),
            answer=ANSWERS[summary.health.trust],
            over_time=geometry.over_time(charts.over_time) if charts.over_time else None,
            distribution=geometry.distribution(charts.distribution),
            by_target=geometry.by_target(charts.by_target, charts.metric_title or ""),
            by_load=geometry.by_load(charts.by_load) if charts.by_load else None,
            waterfall=geometry.waterfall(charts.slowest),
            recorded=[(folder + each.file, each, geometry.waterfall(each.marks)) for each in summary.recorded],
            traffic=traffic_plots(charts.traffic),
            ceiling=ceiling_plots(summary.ceiling),
            price_history=price_history(summary.bill.history),
            scenario=_readable(summary.run.scenario),
            other_facts=_readable({name: fact for name, fact in summary.health.facts.items() if name not in SHOWN}),
        )
    )
    # Rows of an older version hold a server's texts as they came, escapes for terminals included.
    return printable(page)


@cache
def environment() -> Environment:
    """The templates of reports, comparisons and gates."""
    return new_environment(PackageLoader("bench.report", "templates"), lambda _: True)


def new_environment(loader: BaseLoader, autoescape: Callable[[str | None], bool]) -> Environment:
    """An environment with the filters that shared templates use."""
    made = Environment(
        loader=loader, autoescape=autoescape, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    made.filters["breakable"] = _breakable
    return made


def _breakable(text: str) -> Markup:
    """A name that may go on in the next line between its parts, such as `first_audible_ms{target=name}`."""
    return Markup(escape(text).replace("{", Markup("{<wbr>")).replace("=", Markup("=<wbr>")))


def _cards(summary: Summary) -> list[Card]:
    """The key numbers as (title, value, what stands beneath)."""
    rates = {rate.name: rate for rate in summary.rates}
    shown = [metric.name for metric in METRICS.values() if metric.headline]
    measured = [row for name in shown if (row := summary.metric(name))]
    if summary.targets is not None:
        # One figure of all targets together would be no target's.
        return [*_turn_cards(summary), *map(_target_card, summary.targets.rows), _run_cards(summary)[-1]]
    return [
        *_ceiling_cards(summary),
        *_turn_cards(summary),
        *(_latency_card(row) for row in measured if row.unit == "ms"),
        *(_rate_card(rates[name]) for name in shown if name in rates),
        *(_speed_card(row) for row in measured if row.unit != "ms"),
        *_run_cards(summary),
    ]


def _ceiling_cards(summary: Summary) -> list[Card]:
    found = summary.ceiling
    if found is None:
        return []
    said = f"{'at least ' if found.at_least else ''}{found.ceiling:,.4g}"
    limit = f"limit met: {found.limit_text}" if found.limit_text else "no limit was met"
    return [(f"Ceiling, {found.unit}", said, limit)]


def _target_card(row: TargetRow) -> Card:
    if not row.ready or not row.answered:
        done = f"{row.ready:,} of {phrases.amount(row.calls, 'call')} became ready"
        answered = f" · {row.answered:,} of {phrases.amount(row.turns, 'turn')} answered" if row.turns else ""
        return row.name, phrases.MISSING, f"{done}{answered}"
    cost = row.cost_per_minute_usd.value
    parts = [
        f"median · p95 {phrases.number(row.p95.value)}",
        f"errors {phrases.percent(row.error_rate.value)}",
        *([f"WER {phrases.percent(row.wer.value)}"] if row.wer.value is not None else []),
        *([f"{phrases.usd(cost)}/min"] if cost is not None else []),
    ]
    middle = row.p50.value
    return row.name, phrases.MISSING if middle is None else f"{phrases.number(middle)} ms", " · ".join(parts)


def _turn_cards(summary: Summary) -> list[Card]:
    """From planned to answered, and the calls that failed."""
    turns = summary.turns
    rates = {rate.name: rate for rate in summary.rates}
    possible = (turns.planned or 0) - turns.cut_off
    share = phrases.percent(turns.answered_of_begun / possible if possible else None)
    under = f"{phrases.number(turns.planned)} planned · {turns.begun:,} begun · {turns.answered_of_begun:,} answered"
    return [("Planned turns answered", share, under), _rate_card(rates["session_error_rate"])]


def _rate_card(rate: Rate) -> Card:
    return phrases.capital(rate.title), phrases.percent(rate.rate), phrases.of(rate)


def _speed_card(row: MetricRow) -> Card:
    middle, bad = row.percentiles[0].value, phrases.tail(row)
    under = f"median · {bad.label} {phrases.number(bad.value, row.decimals)}"
    if middle is None:
        middle, under = row.worst, f"slowest of n={row.n}; too few for percentiles"
    return phrases.capital(row.title), phrases.number(middle, row.decimals), under


def _run_cards(summary: Summary) -> list[Card]:
    overall, cost, load = summary.words.overall, summary.cost, summary.load
    words = f"{overall.reference_words:,} words" if overall else "not measured"
    price = "example prices" if cost.example_prices else ", ".join(cost.books) or "no price book"
    total = f"total {phrases.at_least(cost)} · {price}"
    return [
        ("WER", phrases.percent(overall.wer if overall else None), words),
        ("Cost per minute", phrases.usd(cost.per_conversation_minute_usd), total),
        ("Calls at once", phrases.number(load.peak_open_calls), f"{phrases.number(load.turns_per_min, 1)} turns/min"),
    ]


def _latency_card(row: MetricRow) -> Card:
    title, middle, bad = phrases.capital(row.title), row.percentiles[0].value, row.percentiles[2].value
    if row.n == 0:
        return title, phrases.MISSING, f"{phrases.amount(row.unanswered, 'turn')} without an answer"
    if middle is None:
        return title, f"{phrases.number(row.worst)} ms", f"worst of n={row.n}; too few for percentiles"
    p95 = f"p95 {phrases.number(bad)} ms" if bad is not None else "p95 -"
    return title, f"{phrases.number(middle)} ms", f"{p95} · n={row.n:,}"


def _readable(value: dict[str, Any]) -> str:
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=100) if value else ""
