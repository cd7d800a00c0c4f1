"""Durations and rates as people write them: text with a unit in, milliseconds or events per minute out.

`800ms`, `2m`, `1h30m`, `1.5s` become whole milliseconds; `30/min`, `2/s`, `10/h` become a rate per minute.
Trap: a bare number is refused (is `ramp: 10` ten seconds or ten milliseconds?); only `0` needs no unit.
"""

from __future__ import annotations

import re
from decimal import Decimal
from fractions import Fraction

MS_PER_UNIT = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000}
_SPOKEN = {"ms": "ms", "s": "s", "m": "min", "h": "h"}
PER_MINUTE = {"s": Fraction(60), "min": Fraction(1), "h": Fraction(1, 60)}

DURATION_HELP = "a number with a unit: ms, s, m or h (800ms, 1.5s, 2m, 1h30m)"
RATE_HELP = "a number per s, min or h (2/s, 30/min, 10/h)"

_NUMBER = r"\d{1,12}(?:\.\d{1,40})?"
DURATION_PATTERN = rf"^(0|(?=\d)({_NUMBER}h)?({_NUMBER}m)?({_NUMBER}s)?({_NUMBER}ms)?)$"
"""For editors: what `parse_duration` accepts, less the checks that it makes for itself."""
RATE_PATTERN = rf"^{_NUMBER}/(s|min|h)$"

_DURATION = re.compile(
    rf"(?:(?P<h>{_NUMBER})h)?(?:(?P<m>{_NUMBER})m(?!s))?(?:(?P<s>{_NUMBER})s)?(?:(?P<ms>{_NUMBER})ms)?", re.ASCII
)
_RATE = re.compile(rf"(?P<count>{_NUMBER})\s*/\s*(?P<unit>\w+)", re.ASCII)


def parse_duration(value: object) -> int:
    """Whole milliseconds of `800ms`, `1.5s`, `2m`, `1h30m` or `0`; ValueError says what is allowed instead."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        if value == 0:
            return 0
        raise ValueError(f"{value} has no unit; allowed: {DURATION_HELP}")
    if not isinstance(value, str):
        raise ValueError(f"not a duration; allowed: {DURATION_HELP}")
    text = value.strip()
    if text == "0":
        return 0
    match = _DURATION.fullmatch(text)
    if not text or match is None:
        raise ValueError(f"{_shown(text)} is not a duration; allowed: {DURATION_HELP}")
    total = sum(
        (Fraction(number) * MS_PER_UNIT[unit] for unit, number in match.groupdict().items() if number), Fraction(0)
    )
    if total.denominator != 1:
        raise ValueError(f"{_shown(text)} is finer than a millisecond; allowed: whole milliseconds")
    return int(total)


def format_duration(ms: int) -> str:
    """The shortest text that `parse_duration` reads back as `ms`: 90000 -> `1m30s`, 0 -> `0ms`."""
    parts, rest = [], ms
    for unit in ("h", "m", "s", "ms"):
        count, rest = divmod(rest, MS_PER_UNIT[unit])
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0ms"


def parse_rate(value: object) -> float:
    """Events per minute of `30/min`, `2/s` or `10/h`; ValueError says what is allowed instead."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        raise ValueError(f"{value} has no unit; allowed: {RATE_HELP}")
    if not isinstance(value, str):
        raise ValueError(f"not a rate; allowed: {RATE_HELP}")
    match = _RATE.fullmatch(value.strip())
    if match is None or match["unit"] not in PER_MINUTE:
        raise ValueError(f"{_shown(value)} is not a rate; allowed: {RATE_HELP}")
    return float(Fraction(match["count"]) * PER_MINUTE[match["unit"]])


def format_rate(per_min: float) -> str:
    """The shortest text, of one for each unit, that `parse_rate` reads back as exactly `per_min`."""
    texts = []
    for unit, factor in PER_MINUTE.items():
        count = float(Fraction(per_min) / factor)
        for number in (f"{count:.9f}", f"{Decimal(repr(count)):f}"):
            text = f"{number.rstrip('0').rstrip('.') if '.' in number else number}/{unit}"
            if _RATE.fullmatch(text) and parse_rate(text) == per_min:
                texts.append(text)
    if not texts:
        raise ValueError(f"{per_min!r} per minute is out of the range of rates that can be written")
    return min(texts, key=lambda text: (len(text.split("/")[0]), text.endswith("/h"), text.endswith("/s")))


def _shown(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:37] + "...")


def spaced(duration: object) -> str:
    """A duration as scenarios write it, for reading: `1m30s` as `1 min 30 s`."""
    return re.sub(r"(\d)(ms|s|m|h)", lambda part: f"{part[1]} {_SPOKEN[part[2]]} ", str(duration)).rstrip()
