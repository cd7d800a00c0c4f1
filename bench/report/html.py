"""The report as one page that needs nothing else: no script, no network, its style and charts within.

In: a `Summary`. Out: HTML.
Trap: transcripts, messages and headers come from outside; every value is escaped by the template engine, and the
page's own policy forbids scripts and requests should one slip through.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined

from bench.report import geometry, health_text, phrases
from bench.report.model import MetricRow, Summary

SYMBOLS = {"pass": "✓", "fail": "✗", "regression": "✗", "unreachable": "✗"}
OTHER_SYMBOL = "!"
TONES = {"pass": "good", "fail": "bad", "regression": "bad", "unreachable": "bad", "no data": "bad"}
OTHER_TONE = "doubtful"
SHOWN = frozenset({"loop_lag_ms", "frame_late_ms", "recv_lag_ms", "workers", "dropped_arrivals", "arrivals"})
"""Parts of the stored certificate that have a place in a table; others are printed as they are."""

Card = tuple[str, str, str]


def render_html(summary: Summary) -> str:
    """The whole page; the same text each time the same summary is given."""
    charts = summary.charts
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            s=summary,
            w=phrases,
            tables=_tables(summary),
            symbol=SYMBOLS.get(summary.verdict.name, OTHER_SYMBOL),
            tone=TONES.get(summary.verdict.name, OTHER_TONE),
            cards=_cards(summary),
            over_time=geometry.over_time(charts.over_time) if charts.over_time else None,
            distribution=geometry.distribution(charts.distribution),
            by_load=geometry.by_load(charts.by_load) if charts.by_load else None,
            waterfall=geometry.waterfall(charts.slowest),
            scenario=_readable(summary.run.scenario),
            t=health_text,
            readings=health_text.readings(summary.health),
            other_facts=_readable({name: fact for name, fact in summary.health.facts.items() if name not in SHOWN}),
        )
    )


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("bench.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _tables(summary: Summary) -> list[tuple[str, str, list[MetricRow]]]:
    """Percentile tables as (id, title, rows); rows whose bad tail is the low one stand in a table of their own."""
    tables = []
    for group, title in phrases.GROUP_TITLES.items():
        rows = [row for row in summary.metrics if row.group == group]
        for low, suffix in ((False, ""), (True, " (higher is better)")):
            same = [row for row in rows if (row.worse == "lower") is low]
            if same:
                tables.append((f"{group}-low" if low else group, title if group == "rates" else title + suffix, same))
    return tables


def _cards(summary: Summary) -> list[Card]:
    """The key numbers as (title, value, what stands beneath)."""
    cards = [
        _latency_card(row)
        for name in ("first_audible_ms", "first_audio_ms", "ttft_ms", "endpoint_ms")
        if (row := summary.metric(name))
    ]
    for rate in summary.rates:
        if rate.name == "error_rate":
            cards.append((phrases.capital(rate.title), phrases.percent(rate.rate), phrases.of(rate)))
    speed = summary.metric("text_tokens_per_s")
    if speed is not None:
        middle = speed.percentiles[0].value
        under = f"median · p5 {phrases.number(speed.percentiles[2].value, 1)}"
        if middle is None:
            middle, under = speed.worst, f"slowest of n={speed.n}; too few for percentiles"
        cards.append(("Text tokens/s", phrases.number(middle, 1), under))
    overall, cost = summary.words.overall, summary.cost
    words = f"{overall.reference_words:,} words" if overall else "not measured"
    cards.append(("WER", phrases.percent(overall.wer if overall else None), words))
    price = "example prices" if cost.example_prices else ", ".join(cost.books) or "no price book"
    per_minute = phrases.usd(cost.per_conversation_minute_usd)
    cards.append(("Cost per minute", per_minute, f"total {phrases.usd(cost.total_usd)} · {price}"))
    pace = f"{phrases.number(summary.load.turns_per_min, 1)} turns/min"
    cards.append(("Calls at once", phrases.number(summary.load.peak_open_calls), pace))
    return cards


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
