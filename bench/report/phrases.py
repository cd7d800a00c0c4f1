"""Numbers and verdicts as text, the same in every rendering of a report.

In: values of a `Summary`. Out: short texts; None is "-" and infinity is "∞".
Trap: text from outside (messages, transcripts) may hold control characters; `plain` removes them.
"""

from __future__ import annotations

import json
import math
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # a plan of a run uses these phrases, and has no findings of a report
    from bench.report.findings import ErrorRow, MetricRow, Percentile, Summary, VerdictInfo
    from bench.report.findings_cost import CostReport
    from bench.report.findings_parts import Interval, Rate

MISSING = "-"
INFINITE = "∞"
_MESSAGE = re.compile(r'"(?:message|detail|error_description)"\s*:\s*"((?:[^"\\]|\\.)+)')
STATUS_MEANINGS = {
    "early": "the reply began before the caller had finished speaking",
    "no_reply": "the server never answered",
    "interrupted": "the caller spoke into the reply",
    "cancelled": "the server cancelled its reply",
    "incomplete": "the reply broke off before its end",
    "stopped": "the run ended while the call was open",
}
VERDICT_MEANINGS = {
    "pass": "The run is complete and its numbers can be used.",
    "failed": "The run is complete, its numbers can be used, and the target did not keep a bound.",
    "no data": "There is nothing to judge: no measured turn was answered.",
    "invalid": "The machine that placed the calls was overloaded; these numbers describe it, not the target.",
    "incomplete": "Rows are missing; the numbers describe what is left.",
    "unreachable": "The target could not be reached.",
    "budget": "The run was ended by its own limit on money, time or calls; the numbers describe what had ended.",
    "interrupted": "The run was stopped by hand; the numbers describe what had ended by then.",
}


def number(value: float | None, decimals: int = 0) -> str:
    """With thousands separated; "-" when not measured, "∞" when it never came."""
    if value is None or math.isnan(value):
        return MISSING
    if math.isinf(value):
        return INFINITE if value > 0 else f"-{INFINITE}"
    shown = f"{value:,.{decimals}f}"
    return shown.lstrip("-") if float(shown.replace(",", "")) == 0 else shown


def percent(share: float | None, decimals: int = 1) -> str:
    return MISSING if share is None else f"{number(share * 100, decimals)} %"


def amount(count: int, noun: str) -> str:
    """`1 turn`, `2,000 turns`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def usd(value: float | None) -> str:
    """Four digits that mean something: `$12.35`, `$0.002706`."""
    if value is None:
        return MISSING
    if value == 0:
        return "$0"
    decimals = max(2, min(8, 3 - math.floor(math.log10(abs(value)))))
    return f"${value:,.{decimals if abs(value) < 10 else 2}f}"


def signed(value: float | None, unit: str, decimals: int = 0) -> str:
    """A difference with its sign and unit: `+45 ms`, `-1.2 pp` (percentage points), `+$0.003`."""
    if value is None or math.isnan(value):
        return MISSING
    sign, size = "+" if value > 0 else "-" if value < 0 else "", abs(value)
    if unit == "share":
        return f"{sign}{number(100 * size, 1)} pp"
    if unit == "USD":
        return f"{sign}{usd(size)}"
    # Near 0 the sign alone would say nothing of a limit.
    return f"{sign}{number(size, max(1, decimals) if size < 10 else decimals)}{'' if unit == 'count' else f' {unit}'}"


def signed_limits(low: float | None, high: float | None, unit: str, decimals: int = 0) -> str:
    """`+27..+66 ms`; nothing where there are none, or where both are infinite."""
    if low is None or high is None or (math.isinf(low) and math.isinf(high)):
        return ""
    bare = signed(low, unit, decimals).removesuffix(f" {unit}").removesuffix(" pp")
    return f"{bare}..{signed(high, unit, decimals)}"


def usd_limit(value: float | None) -> str:
    """A limit as it was written: `$5`, `$0.05`."""
    return MISSING if value is None else f"${value:,.10g}"


def usd_rate(value: float) -> str:
    """A listed price, with all of its digits: `$10.00`, `$0.0045`."""
    whole, _, part = f"{value:,.10g}".partition(".")
    return f"${whole}.{part:0<2}"


def at_least(cost: CostReport) -> str:
    """The total, marked where it is a lower bound."""
    return ("at least " if cost.at_least and cost.total_usd is not None else "") + usd(cost.total_usd)


def lower_bound(cost: CostReport) -> str:
    """What is missing from the total: `At least $1.23; unknown: transcription of 12 turns (no price for 'mine').`"""
    if not cost.unknown:  # rows of an older version name no meters
        return f"The total is a lower bound: {cost.unpriced_answered:,} answered turns have no known price."
    missing = []
    for each in cost.unknown:
        where = [amount(each.turns, "turn")] if each.turns else []
        where += [f"{amount(each.calls, 'call')} outside their turns"] if each.calls else []
        missing.append(f"{each.meter} of {' and '.join(where)} ({plain(each.reason)})")
    known = "Nothing is known" if cost.total_usd is None else capital(at_least(cost))
    return f"{known}; unknown: {', '.join(missing)}."


def seconds(value: float | None) -> str:
    """`4.2 s`, `2 min 6 s`, `1 h 5 min`."""
    if value is None:
        return MISSING
    if value < 60:
        return f"{value:.1f} s"
    whole = round(value)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def between(limits: Interval | None, decimals: int = 0) -> str:
    """An interval of plain numbers, "-" when there is none or it says nothing."""
    return (
        MISSING
        if limits is None or math.isinf(limits.low)
        else f"{number(limits.low, decimals)}..{number(limits.high, decimals)}"
    )


def between_percent(limits: Interval | None, decimals: int = 1) -> str:
    if limits is None:
        return MISSING
    return f"{number(limits.low * 100, decimals)}..{number(limits.high * 100, decimals)} %"


def capital(title: str) -> str:
    return title[:1].upper() + title[1:]


def label(row: MetricRow) -> str:
    """A metric's title with its unit, unless the title already says it."""
    title = capital(row.title)
    return title if row.unit in {"count", row.title} or row.unit in row.title else f"{title}, {row.unit}"


def digits(row: MetricRow) -> int:
    """Decimals for a whole row: times that all lie below 100 ms would lose their meaning when rounded."""
    return max(row.decimals, 1) if row.unit == "ms" and row.worst is not None and row.worst < 100 else row.decimals


def tail(row: MetricRow) -> Percentile:
    """The percentile of the bad tail that is quoted: p95, or p5 where low is bad."""
    return row.percentiles[2]


def of(rate: Rate) -> str:
    return f"{rate.events:,} of {rate.n:,}"


def plain(text: str | None) -> str:
    """Text from outside on one line, without control characters."""
    if text is None:
        return MISSING
    if not text.isprintable():
        text = "".join(char if char.isprintable() else " " for char in text)
    return " ".join(text.split())


def spoken(text: str | None) -> str:
    """A server's message on one line; of a body in JSON, cut off or not, the sentence that it holds."""
    said = plain(text)
    found = _MESSAGE.search(said) if said.startswith(("{", "[")) else None
    if found is None:
        return said
    try:
        return plain(str(json.loads(f'"{found[1]}"'))) or said
    except json.JSONDecodeError:
        return said


def failure(row: ErrorRow) -> str:
    """What went wrong, in the server's words or, where it said nothing, in ours."""
    return spoken(row.message or STATUS_MEANINGS.get(row.status))


def no_words(scenario: dict[str, Any], expected: int) -> str:
    """Why there is no word error rate: `expected` turns could have been transcribed and none was."""
    session = scenario.get("session")
    if isinstance(session, dict) and "transcription" in session and session["transcription"] is None:
        return "the scenario asks for no transcription of the caller (transcription: null)"
    if not expected:
        return "no turn was spoken after warm-up"
    return f"none of {amount(expected, 'turn')} has a transcription of the caller"


def verdict_meaning(summary: Summary) -> str:
    """What the verdict says of the numbers."""
    several = summary.targets is not None and summary.turns.answered > 0
    return meaning_of(summary.verdict.name, several=several)


def meaning_of(verdict: str, *, several: bool) -> str:
    """The same; of `several` targets, one that is away leaves the numbers of the others."""
    if verdict == "unreachable" and several:
        return "A target could not be reached; the numbers describe the others."
    return VERDICT_MEANINGS.get(verdict, "")


def verdict_line(verdict: VerdictInfo) -> str:
    return f"{verdict.name.upper()} (exit code {verdict.exit_code})"


def headline(summary: Summary) -> str:
    """One sentence with the numbers that are asked for first; of several targets, who is the fastest."""
    if summary.targets is not None:
        return summary.targets.sentence
    row = summary.headline
    if row is None:
        return "No reply was measured."
    middle, bad = row.percentiles[0].value, tail(row).value
    said = f"{capital(row.title)} after {number(middle)} ms at the median"
    if bad is not None:
        said += f" and {number(bad)} ms at p95"
    if middle is None:
        said = f"{capital(row.title)} after {number(row.worst)} ms at worst"
    unheard = " No reply held audio that could be heard." if row.name == "ttft_ms" else ""
    return f"{said}, over {amount(row.n, 'answered turn')}.{unheard}"
