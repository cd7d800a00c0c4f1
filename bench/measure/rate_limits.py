"""What a server tells of its rate limits: in events of the session, and in headers of the answer to the handshake.

In: the signals and the headers of a call. Out: a `QuotaState` for each limit each time it was told of, and what was
told of each limit over a whole call. Nothing here reads a clock.
Trap: `remaining` may be lower than what was used, because vendors set the most that a response may say aside before it
is said, and because a limit belongs to an account: others may use it at the same time.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Literal

from bench.facts.signals import RateLimits
from bench.facts.timeline import Entry, Timeline

Source = Literal["event", "header"]
MINUTE_S, HOUR_S, DAY_S = 60.0, 3600.0, 86_400.0
UNNAMED = "unnamed"
MOST_LIMITS = 16
"""Limits of one call that are kept; a server that makes up names could fill a row."""
MOST_NAME = 60
LONGER_THAN_A_MINUTE_S = 75.0
"""A limit of a minute is full again sooner than this."""

_HEADER = re.compile(r"(?:x-)?ratelimit-(limit|remaining|reset|renewalperiod)(?:-([\w-]+))?")
_WINDOWS = {"second": 1.0, "minute": MINUTE_S, "hour": HOUR_S, "day": DAY_S}
_SECONDS = {"d": DAY_S, "h": HOUR_S, "m": MINUTE_S, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_PART = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ms|us|µs|ns|[dhms])")
_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]*)?|\.[0-9]+")
_LONGEST_S = 400 * DAY_S
"""What is longer is no wait but a date, as some servers send it."""


@dataclass(frozen=True, slots=True)
class QuotaState:
    """One limit as it was told once; what was not told, or is no such figure, is None."""

    name: str
    source: Source
    at_ns: int | None = None
    limit: float | None = None
    remaining: float | None = None
    reset_s: float | None = None
    """Until it is full again."""
    window_s: float | None = None
    """What the limit is counted over, where the server says it."""


@dataclass(frozen=True, slots=True)
class LimitTold:
    """What was told of one limit over a call, or over many."""

    name: str
    source: Source
    told: int
    """How often."""
    limit: float | None = None
    """As it was told last."""
    lowest: float | None = None
    """The least that remained of it."""
    last: float | None = None
    """What remained when it was told last."""
    reset_s: float | None = None
    """As it was told last."""
    longest_reset_s: float | None = None
    window_s: float | None = None

    @property
    def counted_over_s(self) -> float | None:
        """What the limit is counted over, as the server says it or as its figures show; None: a longer time, unknown.

        A limit that is refilled all the time is full again after the part of its window that was used. A limit of a
        minute never takes more than a minute, so a longer wait shows a longer window.
        """
        if self.window_s is not None:
            return self.window_s
        wait_s = self.longest_reset_s
        if wait_s is None or wait_s <= LONGER_THAN_A_MINUTE_S:
            return MINUTE_S
        if self.limit and self.last is not None and self.reset_s and self.last < self.limit:
            window_s = self.reset_s * self.limit / (self.limit - self.last)
            return next((each for each in (HOUR_S, DAY_S) if each / 2 <= window_s <= 2 * each), None)
        return None


def quotas_in_event(signal: RateLimits) -> tuple[QuotaState, ...]:
    """The limits of one `rate_limits.updated`; it often names only one of them, or none."""
    return tuple(
        QuotaState(
            name=_name(each.name),
            source="event",
            at_ns=signal.at_ns,
            limit=_amount(each.limit),
            remaining=_amount(each.remaining),
            reset_s=_amount(each.reset_s),
        )
        for each in signal.limits[:MOST_LIMITS]
    )


def quotas_in_headers(headers: Mapping[str, str], at_ns: int | None = None) -> tuple[QuotaState, ...]:
    """The limits that HTTP headers tell of (names in lower case): `x-ratelimit-remaining-tokens: 39000` and the like.

    The time that a limit is counted over may be part of its name (`requests-day`), or a header of its own.
    """
    found: dict[str, QuotaState] = {}
    for header, value in headers.items():
        match = _HEADER.fullmatch(header)
        if match is None:
            continue
        what, full = match.group(1), match.group(2) or ""
        stem, _, period = full.rpartition("-")
        window_s = _WINDOWS.get(period) if stem else None
        name = _name(full if window_s is None else stem)
        key = full or UNNAMED
        if key not in found and len(found) >= MOST_LIMITS:
            continue
        state = found.get(key) or QuotaState(name, "header", at_ns, window_s=window_s)
        if what == "reset":
            state = replace(state, reset_s=duration_s(value))
        elif what == "renewalperiod":
            state = replace(state, window_s=duration_s(value))
        elif what == "limit":
            state = replace(state, limit=_first_number(value))
        else:
            state = replace(state, remaining=_first_number(value))
        found[key] = state
    return tuple(each for each in found.values() if each.limit is not None or each.remaining is not None)


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """How long a refused caller is asked to wait: `retry-after-ms`, `retry-after` in seconds or as a date."""
    in_ms = _first_number(headers.get("retry-after-ms", ""))
    if in_ms is not None:
        return in_ms / 1000
    value = headers.get("retry-after", "").strip()
    if not value:
        return None
    return duration_s(value) if value[0].isdigit() or value[0] == "." else _until_s(value, headers.get("date"))


def duration_s(text: str) -> float | None:
    """`6m0s`, `1s`, `20ms`, `1h2m3.5s` or plain seconds; None for anything else, such as a date or a negative time."""
    value = text.strip().lower()
    if _NUMBER.fullmatch(value):
        return _amount(float(value), most=_LONGEST_S)
    total, at = 0.0, 0
    while at < len(value):
        part = _PART.match(value, at)
        if part is None:
            return None
        total += float(part.group(1)) * _SECONDS[part.group(2)]
        at = part.end()
    return _amount(total, most=_LONGEST_S) if value else None


def quotas_told(timeline: Timeline) -> list[QuotaState]:
    """Everything that the server told of its limits in a call, headers first, then events in order."""
    told = [entry.signal for entry in timeline.entries if isinstance(entry.signal, RateLimits)]
    return [*_in_handshake(timeline), *(state for signal in told for state in quotas_in_event(signal))]


def quotas_known(timeline: Timeline, known: Sequence[Entry]) -> list[QuotaState]:
    """What a call knew of its limits when `known` had come: by the last event that told of any, and by headers.

    The event of a response often follows the end of its turn, whose row then has what was told before.
    """
    told = (entry.signal for entry in reversed(known) if isinstance(entry.signal, RateLimits))
    last = next((states for signal in told if (states := quotas_in_event(signal))), ())
    return [*_in_handshake(timeline), *last]


def _in_handshake(timeline: Timeline) -> tuple[QuotaState, ...]:
    line = timeline.connection
    return quotas_in_headers(line.headers, line.stages.get("upgrade", line.closed_ns))


def told_of(states: Iterable[QuotaState]) -> list[LimitTold]:
    """What was told of each limit, by event and by header apart; states in the order in which they were told."""
    return merged(
        LimitTold(
            each.name, each.source, 1, each.limit, each.remaining, each.remaining, each.reset_s, each.reset_s,
            each.window_s,
        )
        for each in states
    )  # fmt: skip


def merged(parts: Iterable[LimitTold]) -> list[LimitTold]:
    """The parts of each limit as one, such as those of many calls in the order in which they ended."""
    found: dict[tuple[str, str, float | None], LimitTold] = {}
    for each in parts:
        key = (each.name, each.source, each.window_s)
        before = found.get(key)
        if before is not None:
            found[key] = _joined(before, each)
        elif len(found) < MOST_LIMITS:
            found[key] = each
    return list(found.values())


def limit_named(limits: Sequence[LimitTold], name: str) -> LimitTold | None:
    """What was told of the limit `name`: by event before by header, that of a minute before that of a day."""
    found = [each for each in limits if each.name == name]
    return min(found, key=lambda each: (each.source != "event", each.window_s or 0.0), default=None)


def limit_columns(limits: Sequence[LimitTold]) -> dict[str, Any]:
    """The columns of the two limits that most servers have."""
    found: dict[str, Any] = {}
    for name in ("requests", "tokens"):
        told = limit_named(limits, name)
        for key, field in (("limit", "limit"), ("remaining", "last"), ("reset_s", "reset_s")):
            found[f"rate_limit_{name}_{key}"] = getattr(told, field) if told is not None else None
    return found


def to_text(limits: Sequence[LimitTold]) -> str | None:
    """The column `rate_limits` of a call: JSON; None when nothing was told."""
    rows = [{key: value for key, value in asdict(each).items() if value is not None} for each in limits]
    return json.dumps(rows, separators=(",", ":")) if rows else None


def from_text(text: str | None) -> list[LimitTold]:
    """The inverse of `to_text`; what is not of its making is left out."""
    try:
        rows: Any = json.loads(text) if text else []
        return [LimitTold(**row) for row in rows]
    except (TypeError, ValueError):
        return []


def _joined(before: LimitTold, after: LimitTold) -> LimitTold:
    return replace(
        after,
        told=before.told + after.told,
        limit=after.limit if after.limit is not None else before.limit,
        lowest=_of(min, before.lowest, after.lowest),
        last=after.last if after.last is not None else before.last,
        reset_s=after.reset_s if after.reset_s is not None else before.reset_s,
        longest_reset_s=_of(max, before.longest_reset_s, after.longest_reset_s),
    )


def _of(choose: Any, *values: float | None) -> float | None:
    known = [value for value in values if value is not None]
    return choose(known) if known else None


def _name(name: str) -> str:
    """Names of events and of headers alike: `input_tokens` and `input-tokens` are one."""
    return name.strip().lower().replace("_", "-")[:MOST_NAME] or UNNAMED


def _amount(value: float | None, most: float = math.inf) -> float | None:
    """A finite amount; -1, by which some servers say that there is no limit, is none."""
    return value if value is not None and math.isfinite(value) and 0 <= value <= most else None


def _first_number(text: str) -> float | None:
    """The number that a value begins with, as in `100, 100;w=60`."""
    first = re.split(r"[,;]", text, maxsplit=1)[0].strip().replace("_", "")
    return _amount(float(first)) if _NUMBER.fullmatch(first) else None


def _until_s(date: str, now: str | None) -> float | None:
    """From the answer's own `date` until `date`, since our clock may differ from the server's."""
    try:
        until, since = parsedate_to_datetime(date), parsedate_to_datetime(now or "")
    except (TypeError, ValueError, OverflowError):
        return None
    return _amount((_utc(until) - _utc(since)).total_seconds(), most=_LONGEST_S)


def _utc(moment: datetime) -> datetime:
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
