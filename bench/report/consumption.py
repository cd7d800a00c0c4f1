"""What calls use of a quota, by the minute of the call: tokens and requests, learned from the rows of a run.

In: turns and calls, as a `View` or as tables. Out: a `Consumption`, with pooled means per minute of a call, per call,
and what a number of calls needs per minute, each with limits that resample whole calls.
Trap: every response reads the whole call again, so a call uses more in each minute than in the one before. One mean is
right for calls that begun at different times; calls that begin together are all in their dearest minute at once. And a
call that was cut off says too little, so whole calls alone are counted wherever there are enough of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.report.stats import Codes, Estimate, Floats, pooled
from bench.report.view import Mask, View, equals

Matrix = NDArray[np.float64]
MOST_MINUTES = 120
"""What comes later in a call counts in this minute of it."""
LEAST_OF_A_MINUTE = 0.25
"""A last minute of which calls have less than this, on average, is counted with the one before."""
ENOUGH_CALLS = 3
"""Calls that must have reached a minute before it counts as the dearest one."""
REFUSED = ("rate_limit", "quota")
"""Turns that failed so would have used what the others of their minute did."""


@dataclass(frozen=True, slots=True)
class Consumption:
    """By call (rows) and minute of the call (columns). Tokens are NaN where no turn of the run gave a count."""

    exposure_min: Matrix
    """How long each call was open in each of its minutes, in minutes."""
    in_tokens: Matrix
    """Input of all responses, cached tokens too: they count as well."""
    out_tokens: Matrix
    requests: Matrix
    """Responses; a response is a request."""
    turns: int
    without_usage: int
    """Turns with a response of which the server gave no count: they count as the others of their minute."""
    refused: int
    """Turns that a rate limit or a quota refused; they too."""
    whole: bool
    """Only calls that came to their own end are counted; False where there were too few of them."""

    @property
    def calls(self) -> int:
        return int(self.exposure_min.shape[0])

    @property
    def minutes(self) -> int:
        """Minutes of the longest call."""
        return int(self.exposure_min.shape[1])

    @property
    def tokens(self) -> Matrix:
        return self.in_tokens + self.out_tokens

    @property
    def minutes_per_call(self) -> float:
        return float(self.exposure_min.sum() / self.calls)

    def calls_in(self, minute: int) -> int:
        """Calls that came as far as `minute`, counted from 0."""
        return int((self.exposure_min[:, minute] > 0).sum())

    def tokens_per_call_minute(self, minute: int | None = None) -> Estimate:
        """Tokens in and out per minute of calls: of the whole calls, or of one minute of them, counted from 0."""
        return self.per_call_minute(self.tokens, minute)

    def requests_per_call_minute(self, minute: int | None = None) -> Estimate:
        return self.per_call_minute(self.requests, minute)

    def per_call_minute(self, amounts: Matrix, minute: int | None = None) -> Estimate:
        """Any of the amounts per minute of calls, with limits over calls; None where it is not known."""
        if minute is None:
            return _ratio(amounts.sum(axis=1), self.exposure_min.sum(axis=1))
        return _ratio(amounts[:, minute], self.exposure_min[:, minute])

    def per_call(self, amounts: Matrix) -> Estimate:
        """Any of the amounts per call."""
        return _ratio(amounts.sum(axis=1), np.ones(self.calls))

    def mean_per_call_minute(self, amounts: Matrix, minute: int | None = None) -> float | None:
        """The value of `per_call_minute` alone, which is found much sooner than its limits."""
        part = slice(None) if minute is None else slice(minute, minute + 1)
        mean = amounts[:, part].sum() / self.exposure_min[:, part].sum()
        return None if np.isnan(mean) else float(mean)

    def dearest_minute(self, amounts: Matrix) -> int | None:
        """The minute of a call, counted from 0, in which most is used; None where that is not known."""
        enough = min(ENOUGH_CALLS, self.calls)
        known = [minute for minute in range(self.minutes) if self.calls_in(minute) >= enough]
        used = [(mean, minute) for minute in known if (mean := self.mean_per_call_minute(amounts, minute)) is not None]
        return max(used)[1] if used and len(used) == len(known) else None


def times(each: Estimate, factor: float) -> Estimate:
    """`factor` times an estimate, such as what so many calls use together."""
    low_high = None if each.limits is None else (each.limits[0] * factor, each.limits[1] * factor)
    return Estimate(None if each.value is None else each.value * factor, low_high)


def consumption(view: View, calls: Mask | None = None) -> Consumption | None:
    """Of the calls of a stored run that became ready, of `calls` if given, warm-up left out; None without such."""
    good = view.calls_measured & view.calls_ready
    return consumption_of(view.turns, view.sessions[good if calls is None else good & calls])


def consumption_of(turns: pd.DataFrame, sessions: pd.DataFrame) -> Consumption | None:
    """Of tables with the columns of turns and calls; None where no call has a length."""
    ended = equals(sessions, "status", "ok")
    whole = int(ended.sum()) >= ENOUGH_CALLS or bool(ended.all())
    sessions = sessions[ended] if whole else sessions
    begun, length_s = _floats(sessions, "started_at"), _floats(sessions, "duration_ms") / 1000
    place = {name: at for at, name in enumerate(sessions["session_id"])}
    call = np.array([place.get(name, -1) for name in turns["session_id"]], dtype=np.intp)
    turns, call = turns[call >= 0], call[call >= 0]
    length_s = _until_last_turn(sessions, length_s, call, _floats(turns, "ended_at"), begun)
    kept = np.isfinite(length_s) & (length_s > 0)
    if not kept.any():
        return None
    row = np.cumsum(kept) - 1
    turns, call = turns[kept[call]], call[kept[call]]
    at_s = _floats(turns, "started_at") + _floats(turns, "speech_ms") / 1000 - begun[call]
    columns = min(MOST_MINUTES, max(1, int(np.ceil(length_s[kept].max() / 60 - 1e-9))))
    minute = np.clip(np.nan_to_num(at_s) // 60, 0, columns - 1).astype(np.intp)
    exposure = np.clip(length_s[kept][:, None] / 60 - np.arange(columns), 0.0, 1.0)
    exposure[:, -1] += np.maximum(length_s[kept] / 60 - columns, 0.0)
    used = _Used(row[call], minute, exposure)
    responses = np.nan_to_num(_floats(turns, "responses"))
    known, refused = _known(turns, responses), turns["error_kind"].isin(REFUSED).to_numpy(dtype=np.bool_)
    other = sessions[kept]
    other_responses = np.nan_to_num(_floats(other, "other_responses"))

    def tokens_of(count: Callable[..., Floats]) -> Matrix:
        amounts = count(turns)
        said = float(responses[known].sum())
        each = float(np.nan_to_num(amounts[known]).sum()) / said if said else np.nan
        beside = count(other, "other_")
        beside = np.where(np.isnan(beside), other_responses * each, beside)
        return used.laid_out(amounts, known) + used.spread(np.where(other_responses > 0, beside, 0.0))

    found = Consumption(
        exposure_min=exposure,
        in_tokens=tokens_of(_input),
        out_tokens=tokens_of(_output),
        requests=used.summed(responses) + used.spread(other_responses),
        turns=len(turns),
        without_usage=int((~known & ~refused).sum()),
        refused=int(refused.sum()),
        whole=whole,
    )
    return _without_a_stub(found)


@dataclass(frozen=True, slots=True)
class _Used:
    """Puts what turns used where it belongs: `row` and `minute` of each turn."""

    row: Codes
    minute: Codes
    exposure: Matrix

    def summed(self, amounts: Floats) -> Matrix:
        found = np.zeros(self.exposure.shape)
        np.add.at(found, (self.row, self.minute), amounts)
        return found

    def laid_out(self, amounts: Floats, known: Mask) -> Matrix:
        """Sums by call and minute. A turn of unknown use has the mean of its minute, or of the nearest one with any."""
        columns = self.exposure.shape[1]
        amounts = np.nan_to_num(amounts)
        n = np.bincount(self.minute[known], minlength=columns)
        sums = np.bincount(self.minute[known], weights=amounts[known], minlength=columns)
        some = np.flatnonzero(n)
        means = np.full(columns, np.nan)
        if len(some):
            nearest = some[np.abs(np.arange(columns)[:, None] - some).argmin(axis=1)]
            means = sums[nearest] / n[nearest]
        return self.summed(np.where(known, amounts, means[self.minute]))

    def spread(self, amounts: Floats) -> Matrix:
        """What a call used outside its turns, over the whole of it: nothing says when that was."""
        spread: Matrix = self.exposure / self.exposure.sum(axis=1, keepdims=True) * amounts[:, None]
        return spread


def _known(turns: pd.DataFrame, responses: Floats) -> Mask:
    """Turns whose use is known: those with counts that were not refused, and those to which nothing was said."""
    refused = turns["error_kind"].isin(REFUSED).to_numpy(dtype=np.bool_)
    counted = ~np.isnan(_input(turns)) & ~np.isnan(_output(turns))
    silent = (responses == 0) & np.isnan(_input(turns))
    known: Mask = (counted | silent) & ~refused
    return known


def _input(frame: pd.DataFrame, prefix: str = "") -> Floats:
    """Input of each row, cached or not: by modality, else the total; 0 where there was no response to count."""
    return _tokens(frame, prefix, ("in_text", "in_audio", "in_image"), "in_total")


def _output(frame: pd.DataFrame, prefix: str = "") -> Floats:
    return _tokens(frame, prefix, ("out_text", "out_audio"), "out_total")


def _tokens(frame: pd.DataFrame, prefix: str, names: tuple[str, ...], instead: str) -> Floats:
    parts = np.column_stack([_floats(frame, prefix + name) for name in names])
    total = _floats(frame, prefix + instead)
    tokens: Floats = np.where(np.isnan(total), np.nansum(parts, axis=1), total)
    return np.where(np.isnan(parts).all(axis=1) & np.isnan(total), np.nan, tokens)


def _until_last_turn(sessions: pd.DataFrame, length_s: Floats, call: Codes, ended_at: Floats, begun: Floats) -> Floats:
    """Lengths of the calls, those of stopped ones to the end of their last turn: the turn they were in is lost."""
    last = np.full(len(begun), -np.inf)
    np.maximum.at(last, call, np.where(np.isnan(ended_at), -np.inf, ended_at))
    heard_s = last - begun
    stopped = equals(sessions, "status", "stopped")
    return np.where(stopped & (heard_s > 0), np.fmin(heard_s, length_s), length_s)


def _without_a_stub(found: Consumption) -> Consumption:
    """A last minute that calls hardly began is counted with the one before it: one response there says nothing."""
    last = found.minutes - 1
    if last < 1 or found.exposure_min[:, last].sum() >= LEAST_OF_A_MINUTE * found.calls_in(last):
        return found

    def joined(amounts: Matrix) -> Matrix:
        return np.column_stack([amounts[:, : last - 1], amounts[:, last - 1] + amounts[:, last]])

    return Consumption(
        exposure_min=joined(found.exposure_min),
        in_tokens=joined(found.in_tokens),
        out_tokens=joined(found.out_tokens),
        requests=joined(found.requests),
        turns=found.turns,
        without_usage=found.without_usage,
        refused=found.refused,
        whole=found.whole,
    )


def _ratio(amounts: Floats, over: Floats) -> Estimate:
    """A ratio of sums over the calls that have any of `over`; None as soon as one of their amounts is not known."""
    rows = over > 0
    if not rows.any() or np.isnan(amounts[rows]).any():
        return Estimate(None)
    return pooled(amounts[rows], over[rows], np.arange(int(rows.sum())))[0]


def _floats(frame: pd.DataFrame, name: str) -> Floats:
    values: Floats = frame[name].to_numpy(dtype=np.float64, na_value=np.nan)
    return values
