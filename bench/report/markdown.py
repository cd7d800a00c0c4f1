"""The report as markdown, for a pull request or a wiki: the same numbers as the page, in tables.

In: a `Summary`. Out: text.
Trap: cells may hold words from outside; a pipe, an angle bracket or a line break in one would break the table or
inject markup, so every cell is escaped.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bench.report import health_text
from bench.report.model import MetricRow, Summary
from bench.report.phrases import (
    GROUP_TITLES,
    MISSING,
    VERDICT_MEANINGS,
    between,
    between_percent,
    capital,
    digits,
    failure,
    has_unanswered,
    headline,
    label,
    no_words,
    number,
    of,
    percent,
    plain,
    seconds,
    tail,
    usd,
    verdict_line,
)

_SPECIAL = str.maketrans({char: f"\\{char}" for char in "\\|*_`[]#"} | {"<": "&lt;", ">": "&gt;", "&": "&amp;"})


def render_markdown(summary: Summary) -> str:
    """The whole report, beginning with the verdict."""
    blocks = [
        _verdict(summary),
        _table("Turns and errors", ("", "share", "count", "95 % interval"), _rates(summary)),
        *(_metrics(summary, group) for group in GROUP_TITLES),
        _latency_cuts(summary),
        _table("Continuity of speech", ("", "share", "count", "95 % interval"), _continuity(summary)),
        _words(summary),
        _table(_cost_title(summary), ("", "USD", "tokens"), _cost(summary)),
        _table("Load", ("", ""), _load(summary)),
        _trust(summary),
        _calibration(summary),
        _table("Errors", ("count", "of", "status", "kind", "code", "stage", "example"), _errors(summary)),
        _definitions(summary),
    ]
    return "\n\n".join(block for block in blocks if block) + "\n"


def escape(value: str) -> str:
    """`value` as literal text in a table cell."""
    return plain(value).translate(_SPECIAL)


def _verdict(summary: Summary) -> str:
    verdict, run = summary.verdict, summary.run
    lines = [
        f"# {escape(run.scenario_name)}: {verdict_line(verdict)}",
        "",
        VERDICT_MEANINGS.get(verdict.name, ""),
        "",
        *(f"- {escape(reason)}" for reason in verdict.reasons),
        *([f"- {headline(summary)}"] if summary.turns.answered else []),
        *(f"- Warning: {escape(warning)}" for warning in verdict.warnings),
        "",
        f"Run {escape(run.run_id)}, {run.started_at:%Y-%m-%d %H:%M:%S} UTC, "
        f"target {escape(run.target.model or MISSING)} at {escape(run.target.url or MISSING)}"
        f"{' (embedded reference server)' if run.target.embedded else ''}, version {escape(run.bench_version)}, "
        f"seed {run.seed if run.seed is not None else MISSING}.",
    ]
    return "\n".join(lines)


def _table(title: str, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    grid = _grid(heads, rows)
    return f"## {title}\n\n{grid}" if grid else ""


def _grid(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    cells = [f"| {' | '.join(row)} |" for row in rows]
    if not cells:
        return ""
    rule = "| --- |" + " ---: |" * (len(heads) - 1)
    return "\n".join([f"| {' | '.join(heads)} |", rule, *cells])


def _rates(summary: Summary) -> list[tuple[str, ...]]:
    turns, calls = summary.turns, summary.calls
    rows: list[tuple[str, ...]] = [
        (
            "Turns answered",
            percent(_share(turns.answered, turns.measured)),
            f"{turns.answered:,} of {turns.measured:,}",
            "",
        ),
        ("Calls ready", percent(_share(calls.ready, calls.measured)), f"{calls.ready:,} of {calls.measured:,}", ""),
        ("Turns left out: warm-up", "", f"{turns.warmup:,}", ""),
        ("Turns left out: sent late", "", f"{turns.client_late:,}", ""),
    ]
    return rows + [
        (capital(rate.title), percent(rate.rate), of(rate), between_percent(rate.interval)) for rate in summary.rates
    ]


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _metrics(summary: Summary, group: str) -> str:
    rows = [row for row in summary.metrics if row.group == group]
    if not rows:
        return ""
    blocks: list[str] = []
    for low in (False, True):
        same = [row for row in rows if (row.worse == "lower") is low]
        if same:
            blocks.append(_percentiles(GROUP_TITLES[group] if not blocks else f"{GROUP_TITLES[group]}, lower", same))
    return "\n\n".join(blocks)


def _percentiles(title: str, rows: list[MetricRow]) -> str:
    lost = has_unanswered(rows)
    labels = [found.label for found in rows[0].percentiles]
    extra = [f"{name} with unanswered" for name in (labels[0], labels[2])] if lost else []
    worst = "min" if rows[0].worse == "lower" else "max"
    heads = ["", "n", "unanswered", *labels, worst, *extra, f"{labels[0]}, 95 %", f"{labels[2]}, 95 %"]
    return _table(title, heads, [_row(row, lost) for row in rows])


def _row(row: MetricRow, lost: bool) -> list[str]:
    places = digits(row)
    middle, bad = row.percentiles[0], tail(row)
    cells = [label(row), f"{row.n:,}", f"{row.unanswered:,}"]
    cells += [number(found.value, places) for found in row.percentiles]
    cells.append(number(row.worst, places))
    if lost:
        cells += [number(middle.with_unanswered, places), number(bad.with_unanswered, places)]
    return [*cells, between(middle.interval, places), between(bad.interval, places)]


def _latency_cuts(summary: Summary) -> str:
    found = summary.latency_cuts
    if found is None:
        return ""
    rows = [
        (
            escape(f"{cut} {row.name}"),
            number(row.p50),
            number(row.p95),
            f"{row.n:,}",
            f"{row.unanswered:,}",
            between(row.p50_interval),
        )
        for cut, rows in found.cuts.items()
        for row in rows
    ]
    heads = ("", "p50", "p95", "n", "unanswered", "p50, 95 %")
    return _table(f"{capital(found.title)} by accent and voice, ms", heads, rows)


def _continuity(summary: Summary) -> list[tuple[str, ...]]:
    return [
        (capital(rate.title), percent(rate.rate), of(rate), between_percent(rate.interval))
        for rate in summary.continuity
    ]


def _words(summary: Summary) -> str:
    words = summary.words
    if words.overall is None:
        return f"## Words\n\nWER: -. Not measured: {escape(no_words(summary.run.scenario, words.expected))}."
    heads = ("", "WER", "95 % interval", "turns", "words", "wrong", "lost", "added", "raw WER")
    cut_rows = [(f"{cut} {row.name}", row) for cut, found in words.cuts.items() for row in found]
    rows = [
        (
            escape(name),
            percent(row.wer),
            between_percent(row.interval),
            *(
                f"{count:,}"
                for count in (row.turns, row.reference_words, row.substitutions, row.deletions, row.insertions)
            ),
            percent(row.wer_raw),
        )
        for name, row in [("all", words.overall), *cut_rows]
    ]
    return _table("Words", heads, rows)


def _cost_title(summary: Summary) -> str:
    books = ", ".join(escape(book) for book in summary.cost.books)
    example = "example prices" if summary.cost.example_prices else ""
    said = ", ".join(part for part in (example, books) if part)
    return f"Cost ({said})" if said else "Cost"


def _cost(summary: Summary) -> list[tuple[str, str, str]]:
    cost = summary.cost
    bound = "at least " if cost.unpriced_answered and cost.total_usd is not None else ""
    tokens = [(meter.title, usd(meter.usd), number(meter.tokens)) for meter in cost.meters]
    return [
        ("Total, warm-up included", bound + usd(cost.total_usd), ""),
        *tokens,
        ("Per turn", usd(cost.per_turn_usd), ""),
        ("Per call", usd(cost.per_session_usd), ""),
        ("Per conversation minute", usd(cost.per_conversation_minute_usd), ""),
        ("Per 1,000 calls", usd(cost.per_1000_sessions_usd), ""),
    ]


def _load(summary: Summary) -> list[tuple[str, str]]:
    load = summary.load
    return [
        ("Offered", escape(load.sentence)),
        ("Calls open at once, most", number(load.peak_open_calls)),
        ("Elapsed", seconds(load.elapsed_s)),
        ("Turns per minute", number(load.turns_per_min, 1)),
        ("Calls per minute", number(load.calls_per_min, 1)),
    ]


def _trust(summary: Summary) -> str:
    health = summary.health
    said = [
        "## Can these numbers be trusted?",
        "",
        f"**{health_text.ANSWERS[health.trust]}** {escape(health.conclusion[0])}",
        "",
        *(f"- {escape(sentence)}" for sentence in health.conclusion[1:]),
        "",
        f"Turns left out because their audio was sent late: {escape(health_text.left_out(health))}.",
    ]
    offered = health_text.arrivals(health)
    if offered:
        said.append(f"Arrivals: {escape(offered)}.")
    heads = ("Reading", *(escape(name) for name in health_text.columns(health)), "what it means")
    rows = [(row.title, *map(_cell, row.cells), escape(row.meaning)) for row in health_text.readings(health)]
    table = _grid(heads, rows)
    return "\n".join([*said, "", table] if table else said)


def _calibration(summary: Summary) -> str:
    known = summary.calibration
    if known is None:
        return f"## Calibration\n\nCalibration: {health_text.NO_CALIBRATION}."
    names = health_text.calibration_heads(known)
    heads = ["calls at once", *(escape(health_text.title_of(name)) for name in names)]
    heads += ["frames late", "read late", "worker CPU", "server CPU", "MiB per call", "passed"]
    said = [
        "## Calibration",
        "",
        *(f"- {title}: {escape(value)}" for title, value in health_text.calibration_lines(known)),
        "",
        "Errors and delays in ms: p99 (p50).",
        "",
        _grid(
            heads,
            [(f"{level.calls:,}", *map(_cell, health_text.calibration_cells(level, names))) for level in known.levels],
        ),
        "",
        *(f"- {level.calls:,} calls: {escape('; '.join(level.reasons))}" for level in known.levels if level.reasons),
    ]
    return "\n".join(said).rstrip()


def _cell(cell: health_text.Cell) -> str:
    return ("! " if cell.bad else "") + escape(cell.value) + (f" ({escape(cell.under)})" if cell.under else "")


def _errors(summary: Summary) -> list[tuple[str, ...]]:
    return [
        (
            f"{row.count:,}",
            row.level,
            *(escape(part or MISSING) for part in (row.status, row.error_kind, row.error_code, row.stage)),
            escape(failure(row)),
        )
        for row in summary.errors
    ]


def _definitions(summary: Summary) -> str:
    if not summary.metrics:
        return ""
    lines = [f"- **{capital(row.title)}** (`{row.name}`): {escape(row.definition)}" for row in summary.metrics]
    return "\n".join(["## Definitions", "", *lines])
