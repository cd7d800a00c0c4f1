"""What was seen at a level of load: good turns by call, and why the others were not good.

In: rows, and the objectives. Out: `Counts`, and a `Cause` for each bad turn.
Trap: a cause comes from typed fields of the row, never from the text of a message.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from bench.measure.metrics import METRICS
from bench.measure.outcome import ANSWERED
from bench.measure.records import SessionRecord, TurnRecord
from bench.scenario.threshold_grammar import Objective
from bench.scenario.thresholds import broken_objective
from bench.store.search_record import LimitKind

_NAMED_LIMITS: dict[str, LimitKind] = {
    "tokens": "tokens",
    "requests": "requests",
    "session_limit_reached": "sessions",
}
"""Codes of errors that say of which limit they are."""
_BY_METRIC: dict[str, LimitKind] = {"wer": "words", "cer": "words", "wer_raw": "words", "task_success": "tasks"}
_BY_GROUP: dict[str, LimitKind] = {"taking": "turn_taking", "delivery": "stalls", "rates": "stalls"}


@dataclass(frozen=True, slots=True)
class Cause:
    """Why a turn was not good."""

    kind: LimitKind
    text: str


@dataclass(slots=True)
class Counts:
    """What was seen at a level, also over two looks at it."""

    by_call: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Good turns and turns of each call."""
    causes: Counter[Cause] = field(default_factory=Counter)
    late: int = 0
    """Turns that we spoiled ourselves: sent late, or failed by a limit of this machine."""

    @property
    def good(self) -> int:
        return sum(good for good, _ in self.by_call.values())

    @property
    def turns(self) -> int:
        return sum(turns for _, turns in self.by_call.values())

    def add(self, call: str, cause: Cause | None, turns: int = 1) -> None:
        """So many turns of `call`, good ones without a cause."""
        good, before = self.by_call.get(call, (0, 0))
        self.by_call[call] = (good + (turns if cause is None else 0), before + turns)
        if cause is not None:
            self.causes[cause] += turns


def cause_of_turn(row: TurnRecord, objectives: Sequence[Objective]) -> Cause | None:
    """Why a turn was not good; None for a good one."""
    if row.status in ANSWERED:
        broken = broken_objective(row, tuple(objectives))
        metric = next((each.metric.name for each in objectives if each.text == broken), None)
        return None if broken is None else Cause(_kind_of_metric(metric), broken)
    return _cause(row.error_kind, row.error_code, row.close_code, None, row.status)


def cause_of_call(row: SessionRecord) -> Cause:
    """Why a call failed that had no turn, or fewer than planned."""
    cause = _cause(row.error_kind, row.error_code, row.close_code, row.http_status, row.status)
    if row.http_status is not None and cause.kind != "sessions":
        return Cause("handshake", f"HTTP {row.http_status} at the handshake")
    return cause


def _kind_of_metric(name: str | None) -> LimitKind:
    if name is None:
        return "errors"
    return _BY_METRIC.get(name) or _BY_GROUP.get(METRICS[name].group or "", "latency")


def _cause(kind: str | None, code: str | None, close_code: int | None, http_status: int | None, status: str) -> Cause:
    if kind in {"rate_limit", "quota"}:
        return Cause(_NAMED_LIMITS.get(code or "", "rate_limit"), code or kind)
    if kind == "closed":
        return Cause("closed", f"close code {close_code}" if close_code is not None else "closed without a code")
    if kind is None:
        return Cause("errors", status.replace("_", " "))
    return Cause("errors", f"{kind} ({code})" if code else kind)
