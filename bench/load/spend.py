"""What a run under way has spent: known from its rows, and estimated where a row cannot say or has not come yet.

In: rows as they end, the expected cost of each turn of a call. Out: a `Spend`.
Trap: what is not known is not free. A turn without a usage or a price, one that was cut off, and the turn that each
open call is in are counted at what such a turn costs, and that part is always told apart.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bench.measure.records import SessionRecord, TurnRecord
from bench.scenario.interleaving import part_of_cap

MOST_SCALED = 4.0
"""What turns cost may change the expectation of those to come by this factor at most, up or down."""


@dataclass(frozen=True, slots=True)
class Spend:
    """What is spent, USD."""

    known_usd: float = 0.0
    """From usage and prices."""
    estimated_usd: float = 0.0
    """For turns that ended, of which the usage or a price is not known."""
    in_flight_usd: float = 0.0
    """For the turns that open calls are in: what they will have cost if they end."""
    in_flight: int = 0
    """How many those are."""
    guessed: int = 0
    """Turns behind `estimated_usd`."""
    priced: bool = False
    """Something had a price; without it a sum of 0 means nothing."""

    @property
    def committed_usd(self) -> float:
        """What the bill will be at most if no further turn begins."""
        return self.known_usd + self.estimated_usd + self.in_flight_usd


@dataclass(slots=True)
class Expectation:
    """What turn number `n` of a call costs: as observed in this run, until then as planned, scaled by what others cost.

    `planned_usd` has one value for each turn of a call, `low_usd` what it costs at least, and `transcription_usd` the
    part of it that is for the transcript; all are empty where nothing could be planned. Until a turn has been priced,
    the low value counts: a guess that is too high must not end a run before it has measured anything.
    """

    planned_usd: Sequence[float] = ()
    low_usd: Sequence[float] = ()
    transcription_usd: Sequence[float] = ()
    beside_usd: float = 0.0
    """What a call costs outside its turns, such as for a greeting; as planned, then as observed."""
    _beside_sum: float = 0.0
    _beside_calls: int = 0
    _sums: dict[int, float] = field(default_factory=dict)
    _counts: dict[int, int] = field(default_factory=dict)

    def learn(self, turn: int, usd: float) -> None:
        """A turn that was priced in full."""
        self._sums[turn] = self._sums.get(turn, 0.0) + usd
        self._counts[turn] = self._counts.get(turn, 0) + 1

    def learn_beside(self, usd: float) -> None:
        """What a call that ended was billed outside its turns."""
        self._beside_sum += usd
        self._beside_calls += 1
        self.beside_usd = self._beside_sum / self._beside_calls

    def usd(self, turn: int) -> float:
        """The expected cost of turn `turn`, 0 for one that nothing is known of."""
        if turn in self._counts:
            return self._sums[turn] / self._counts[turn]
        if self.low_usd and not self._counts:
            return self.low_usd[min(turn, len(self.low_usd) - 1)]
        if self.planned_usd:
            return self.planned_usd[min(turn, len(self.planned_usd) - 1)] * self._ratio()
        # A turn sends the call so far again, so it costs at least what one before it did.
        return max((self._sums[known] / self._counts[known] for known in self._counts), default=0.0)

    def _ratio(self) -> float:
        """What turns cost, as a share of what was planned for them."""
        known = [turn for turn in self._counts if turn < len(self.planned_usd)]
        planned = sum(self.planned_usd[turn] * self._counts[turn] for turn in known)
        observed = sum(self._sums[turn] for turn in known)
        if planned <= 0 or observed <= 0:
            return 1.0
        return min(MOST_SCALED, max(1 / MOST_SCALED, observed / planned))


@dataclass(frozen=True, slots=True)
class _Turn:
    number: int
    known_usd: float
    unknown: str | None
    """The meters that were used and have no sum, as the row names them."""


@dataclass(slots=True)
class _Call:
    """A call that is open, by the turns that ended in it."""

    turns: list[_Turn] = field(default_factory=list)


class Ledger:
    """Keeps the sums, so that asking costs next to nothing however many calls there were."""

    def __init__(self, expected: Expectation, turns_per_call: int, usd_per_minute: float | None = None) -> None:
        """`usd_per_minute`: the price of a model that is billed by the length of its calls; then tokens cost nothing"""
        self._expected = expected
        self._turns_per_call = turns_per_call
        self._usd_per_minute = usd_per_minute
        self._open: dict[str, _Call] = {}
        self._known_usd = 0.0
        """Of calls that ended."""
        self._estimated_usd = 0.0
        self._guessed = 0
        self._ended_s = 0.0
        self._priced = usd_per_minute is not None

    def turn(self, row: TurnRecord) -> None:
        """A turn ended."""
        known = row.cost_usd if row.cost_usd is not None else row.cost_partial_usd or 0.0
        self._priced = self._priced or known > 0
        if row.cost_usd is not None and known > 0:
            self._expected.learn(row.turn, known)
        self._open.setdefault(row.session_id, _Call()).turns.append(_Turn(row.turn, known, row.cost_unknown))

    def session(self, row: SessionRecord) -> None:
        """A call ended: its own sum holds its turns, and what was billed besides."""
        call = self._open.pop(row.session_id, _Call())
        self._ended_s += (row.duration_ms or 0.0) / 1000
        if row.other_cost_unknown is None and row.status == "ok":
            self._expected.learn_beside(row.other_cost_usd or 0.0)
        if row.cost_usd is not None:
            self._known_usd += row.cost_usd
            self._priced = True
            return
        partial = row.cost_partial_usd if row.cost_partial_usd is not None else sum(t.known_usd for t in call.turns)
        self._known_usd += partial
        if self._usd_per_minute is not None:
            return
        for turn in call.turns:
            self._guess(turn)
        if row.other_cost_unknown:
            # A turn that the end of its call cut off has no row of its own, or one without its response.
            last = max((turn.number for turn in call.turns), default=-1) + 1
            self._guess(_Turn(last, row.other_cost_partial_usd or 0.0, row.other_cost_unknown))

    def _guess(self, turn: _Turn) -> None:
        self._estimated_usd += self._missing(turn)
        self._guessed += turn.unknown is not None

    def _missing(self, turn: _Turn) -> float:
        """What a turn costs beyond what is known of it; nothing for one that used no unknown meter."""
        if turn.unknown is None:
            return 0.0
        spoken = self._expected.transcription_usd
        if spoken and all(each.startswith("transcription ") for each in turn.unknown.split("; ")):
            return spoken[min(turn.number, len(spoken) - 1)]
        return max(0.0, self._expected.usd(turn.number) - turn.known_usd)

    @property
    def calls_with_rows(self) -> int:
        """Calls that are open as far as rows tell: a turn of them has ended, and they have not."""
        return len(self._open)

    @property
    def ended_s(self) -> float:
        """Length of the calls that ended."""
        return self._ended_s

    def spend(self, *, calls_open: int, call_s: float) -> Spend:
        """As it is now, with `calls_open` calls under way and `call_s` seconds of calls so far."""
        if self._usd_per_minute is not None:
            open_s = max(0.0, call_s - self._ended_s) if calls_open or self._open else 0.0
            return Spend(known_usd=self._known_usd + open_s / 60 * self._usd_per_minute, priced=True)
        known, estimated, guessed = self._known_usd, self._estimated_usd, self._guessed
        in_flight, reserved = 0, 0.0
        for call in self._open.values():
            known += sum(turn.known_usd for turn in call.turns)
            estimated += sum(self._missing(turn) for turn in call.turns)
            guessed += sum(turn.unknown is not None for turn in call.turns)
        for call in list(self._open.values())[-calls_open:] if calls_open else []:
            following = max(turn.number for turn in call.turns) + 1
            if following < self._turns_per_call:
                in_flight += 1
                reserved += self._expected.usd(following)
        first = max(0, calls_open - len(self._open))
        reserved += first * self._expected.usd(0) + calls_open * self._expected.beside_usd
        return Spend(known, estimated, reserved, in_flight + first, guessed, self._priced)


class Ledgers:
    """One ledger for each target of a run; what is not known of a target yet is dealt out evenly, as the calls are."""

    def __init__(self, by_target: Mapping[str, Ledger]) -> None:
        self._by_target = by_target

    def turn(self, row: TurnRecord) -> None:
        """A turn ended."""
        self._of(row).turn(row)

    def session(self, row: SessionRecord) -> None:
        """A call ended."""
        self._of(row).session(row)

    def _of(self, row: TurnRecord | SessionRecord) -> Ledger:
        return self._by_target[row.target or ""]

    def spend(self, *, calls_open: int, call_s: float) -> Spend:
        """As `Ledger.spend`, of all targets together."""
        ledgers = list(self._by_target.values())
        shares = self._calls_open(calls_open)
        ended_s = sum(ledger.ended_s for ledger in ledgers)
        open_s = max(0.0, call_s - ended_s) / max(1, sum(shares))
        parts = [
            ledger.spend(calls_open=share, call_s=ledger.ended_s + open_s * share)
            for ledger, share in zip(ledgers, shares, strict=True)
        ]
        return Spend(
            known_usd=sum(part.known_usd for part in parts),
            estimated_usd=sum(part.estimated_usd for part in parts),
            in_flight_usd=sum(part.in_flight_usd for part in parts),
            in_flight=sum(part.in_flight for part in parts),
            guessed=sum(part.guessed for part in parts),
            priced=any(part.priced for part in parts),
        )

    def _calls_open(self, calls_open: int) -> list[int]:
        """How many calls of each target are open: those with rows, and of the others as many for each."""
        shares, left = [], calls_open
        for ledger in self._by_target.values():
            shares.append(min(ledger.calls_with_rows, left))
            left -= shares[-1]
        return [share + part_of_cap(left, place, len(shares)) for place, share in enumerate(shares)]
