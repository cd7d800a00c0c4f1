"""The report as plain text for a terminal: verdict first, aligned columns, nothing that breaks when pasted.

In: a `Summary`. Out: text.
Trap: units stand in the labels so that columns hold bare numbers; texts from outside pass through `plain`, for a
server's message may carry terminal escapes.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bench.report.health_text import ANSWERS, calibration_lines, harness_lines
from bench.report.model import MetricRow, Summary
from bench.report.phrases import (
    GROUP_TITLES,
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

LABEL_WIDTH = 32
SHORT_GROUPS = ("latency", "connect", "delivery", "rates")
# In the terminal only what is read at a glance; the page and the markdown show every metric.
SKIPPED = frozenset({"dns_ms", "tcp_ms", "tls_ms", "upgrade_ms", "duration_ms", "longest_stall_ms", "reply_audio_ms"})


def render_terminal(summary: Summary, folder: Path | None = None) -> str:
    """The whole report; `folder` is where its files are, named in the last section."""
    blocks = [
        _verdict(summary),
        _section("TURNS", _turns(summary)),
        *(_metrics(summary, group) for group in SHORT_GROUPS),
        _section("WORDS (what the server understood)", _words(summary)),
        _section("COST" + (" at EXAMPLE PRICES" if summary.cost.example_prices else ""), _cost(summary)),
        _section("LOAD", _load(summary)),
        _section(f"HARNESS (can the numbers be trusted? {ANSWERS[summary.health.trust]})", harness_lines(summary)),
        _section("CALIBRATION (how wrong the harness itself is)", calibration_lines(summary.calibration)),
        _section("ERRORS", _errors(summary)),
        _section("FILES", _files(summary, folder)),
    ]
    return "\n\n".join(block for block in blocks if block) + "\n"


def _verdict(summary: Summary) -> str:
    verdict = summary.verdict
    lines = [f"{plain(summary.run.scenario_name)}: {verdict_line(verdict)}"]
    lines += [f"  {plain(reason)}" for reason in verdict.reasons]
    if summary.turns.answered:
        lines.append(f"  {headline(summary)}")
    lines += [f"  warning: {plain(warning)}" for warning in verdict.warnings]
    return "\n".join(lines)


def _section(title: str, lines: Sequence[tuple[str, str]]) -> str:
    if not lines:
        return ""
    return "\n".join([title, *(f"  {name:<{LABEL_WIDTH}} {value}".rstrip() for name, value in lines)])


def _turns(summary: Summary) -> list[tuple[str, str]]:
    turns, calls = summary.turns, summary.calls
    by_status = ", ".join(f"{plain(name)} {count:,}" for name, count in turns.by_status.items())
    lines = [
        ("Calls, measured", f"{calls.measured:,} ({calls.ready:,} became ready)"),
        ("Turns, measured", f"{turns.measured:,}" + (f" ({by_status})" if by_status else "")),
        ("Turns, warm-up (left out)", f"{turns.warmup:,}"),
        ("Turns, sent late (left out)", f"{turns.client_late:,}"),
    ]
    for rate in summary.rates:
        shown = f"{percent(rate.rate):>8}  {of(rate)}" if rate.n else "       -"
        lines.append((capital(rate.title), shown + _limits(between_percent(rate.interval))))
    return lines


def _limits(shown: str) -> str:
    return "" if shown == "-" else f"  (95 %: {shown})"


def _metrics(summary: Summary, group: str) -> str:
    rows = [row for row in summary.metrics if row.group == group and row.name not in SKIPPED]
    if not rows:
        return ""
    lost = has_unanswered(rows)
    labels = [found.label for found in rows[0].percentiles]
    worst = "min" if rows[0].worse == "lower" else "max"
    name = labels[2]
    heads = ["n", *labels, worst, *([f"{name}*"] if lost else []), f"{name}, 95 % interval"]
    lines = [f"{GROUP_TITLES[group].upper():<{LABEL_WIDTH}}  " + _columns(heads)]
    lines += [f"  {label(row):<{LABEL_WIDTH}}" + _columns(_cells(row, lost)) for row in rows]
    if lost:
        what = "a call that never got there" if group == "connect" else "a turn that nobody answered"
        lines.append(f"  * with {what} counted as infinite")
    if group == "delivery":
        lines += [
            f"  {capital(rate.title):<{LABEL_WIDTH}} {percent(rate.rate):>8}  {of(rate)}" for rate in summary.continuity
        ]
    return "\n".join(lines)


def _cells(row: MetricRow, lost: bool) -> list[str]:
    places = digits(row)
    cells = [f"{row.n:,}", *(number(found.value, places) for found in row.percentiles), number(row.worst, places)]
    if lost:
        cells.append(number(tail(row).with_unanswered, places))
    return [*cells, between(tail(row).interval, places)]


def _columns(cells: Sequence[str]) -> str:
    *numbers, limits = cells
    return (f"{numbers[0]:>7}" + "".join(f"{cell:>9}" for cell in numbers[1:]) + f"   {limits}").rstrip()


def _words(summary: Summary) -> list[tuple[str, str]]:
    words = summary.words
    covered = f"{words.scored:,} of {words.expected:,}"
    if words.overall is None:
        return [("WER", f"-  not measured: {no_words(summary.run.scenario, words.expected)}")]
    row = words.overall
    lines = [
        ("WER, pooled", f"{percent(row.wer):>8}{_limits(between_percent(row.interval))}"),
        ("WER, raw texts", f"{percent(row.wer_raw):>8}"),
    ]
    if row.cer is not None:
        lines.append(("CER, pooled", f"{percent(row.cer):>8}"))
    lines += [
        (
            "Reference words",
            f"{row.reference_words:>6,}  ({_errors_of(row.substitutions, row.deletions, row.insertions)})",
        ),
        ("Turns with a transcription", covered),
    ]
    for cut in ("accent", "voice"):
        lines += [
            (f"WER, {cut} {plain(part.name)}", f"{percent(part.wer):>8}  {part.turns:,} turns")
            for part in words.cuts.get(cut, [])[:8]
        ]
    return lines


def _errors_of(substitutions: int, deletions: int, insertions: int) -> str:
    return f"{substitutions:,} wrong, {deletions:,} lost, {insertions:,} added"


def _cost(summary: Summary) -> list[tuple[str, str]]:
    cost = summary.cost
    at_least = "at least " if cost.unpriced_answered and cost.total_usd is not None else ""
    lines = [("Total, warm-up included", at_least + usd(cost.total_usd))]
    lines += [(f"  {meter.title}", usd(meter.usd)) for meter in cost.meters if meter.usd is not None]
    lines += [
        ("Per turn", usd(cost.per_turn_usd)),
        ("Per call", usd(cost.per_session_usd)),
        ("Per conversation minute", usd(cost.per_conversation_minute_usd)),
        ("Per 1,000 calls", usd(cost.per_1000_sessions_usd)),
        ("Prices", ", ".join(plain(book) for book in cost.books) or "-"),
    ]
    return lines


def _load(summary: Summary) -> list[tuple[str, str]]:
    load = summary.load
    return [
        ("Offered", plain(load.sentence)),
        ("Calls open at once, most", number(load.peak_open_calls)),
        ("Callers talking at once, most", number(load.peak_talking)),
        ("Elapsed", seconds(load.elapsed_s)),
        ("Turns per minute", number(load.turns_per_min, 1)),
        ("Calls per minute", number(load.calls_per_min, 1)),
    ]


def _errors(summary: Summary) -> list[tuple[str, str]]:
    lines = []
    for row in summary.errors[:8]:
        kind = " ".join(plain(part) for part in (row.status, row.error_kind, row.error_code) if part)
        lines.append((f"{row.count:>5,} x {row.level}", f"{kind}: {failure(row)[:100]}"))
    return lines


def _files(summary: Summary, folder: Path | None) -> list[tuple[str, str]]:
    return [] if folder is None else [("Report", str(folder / "report.html")), ("Folder", str(folder))]
