"""What was used, as arrays: a row of quantities for each turn, and for what each call was billed besides.

In: the stored tables. Out: `Usage` of turns and of calls, which any price book can be laid over.
Trap: a row says which of its meters had no count. A count that is missing stays missing whatever the prices; a price
that was missing may be in another book.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from bench.pricing.meters import METERS, MODEL_METERS, SESSION_METER, SPEECH_METERS, TRANSCRIPTION_METERS
from bench.pricing.price import ALL_TOKENS, CACHE_TAKEN_AS_TEXT, MOST_SECONDS, MOST_TOKENS, Unknown, lacks_a_price
from bench.report.stats import Codes, Floats
from bench.report.view import Columns, Mask, codes_of, text
from bench.store.reader import Run

KINDS = ("text", "audio", "image")
COLUMN = {meter.name: place for place, meter in enumerate(METERS)}
"""The column of each meter in `Usage.quantities`."""
MODEL = slice(0, len(MODEL_METERS))
TRANSCRIPTION = slice(len(MODEL_METERS), len(MODEL_METERS) + len(TRANSCRIPTION_METERS))
SPEECH = slice(TRANSCRIPTION.stop, TRANSCRIPTION.stop + len(SPEECH_METERS))
SESSION = COLUMN[SESSION_METER.name]
UNSAID = "the server reported no usage"
_MINUTES = COLUMN["transcription minutes"]


@dataclass(frozen=True, slots=True)
class Sold:
    """What a row's prices depend on: the target's own books, the model that was asked for or that the server named."""

    target: str | None
    model: str | None
    server_model: str | None
    transcription_model: str | None
    speech_model: str | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """One row of `quantities` for each row of a table, one column for each of `METERS`, in tokens or minutes.

    `gaps` are the combinations of meters that were used and not counted, which no price can mend, and `gap_of` says
    which of them each row has; `sold` and `sold_of` likewise. `billed` rows had something to pay for; the others have
    no cost, not even 0.
    """

    quantities: Floats
    billed: Mask
    gaps: tuple[tuple[Unknown, ...], ...]
    gap_of: Codes
    sold: tuple[Sold, ...]
    sold_of: Codes


@dataclass(frozen=True, slots=True)
class RunUsage:
    """`call_of_turn` is the row of the turn's call, or -1: a call that was cut off has no row."""

    turns: Usage
    calls: Usage
    call_of_turn: Codes


def usage_of(run: Run) -> RunUsage:
    """The quantities of every turn of `run`, and of every call outside its turns."""
    turns, sessions = run.turns, run.sessions
    at = pd.Series(np.arange(len(sessions)), index=sessions["session_id"])
    at = at[~at.index.duplicated()]
    call_of_turn = at.reindex(turns["session_id"]).fillna(-1).to_numpy(dtype=np.intp)
    transcription_of_call = _transcription_of_call(turns, call_of_turn, len(sessions))
    of_calls = _usage(sessions, "other_", sessions["server_model"], transcription_of_call)
    of_calls.quantities[:, SESSION] = session_minutes(Columns(sessions))
    server_of_turn = _taken(sessions["server_model"], call_of_turn)
    of_turns = _usage(turns, "", server_of_turn, turns["transcription_model"])
    return RunUsage(of_turns, of_calls, call_of_turn)


def pooled_usage(usage: RunUsage) -> RunUsage:
    """The same, with the rows that differ in nothing but their quantities added up: sums of a run of any size.

    Which turn belongs to which call is lost.
    """
    turns, calls = _pooled(usage.turns), _pooled(usage.calls)
    return RunUsage(turns, calls, np.full(len(turns.billed), -1, dtype=np.intp))


def _pooled(usage: Usage) -> Usage:
    spoken = usage.quantities[:, TRANSCRIPTION]
    # Tokens come before minutes in each row, so that rows with both must not be added to rows with minutes alone.
    key = np.column_stack([usage.sold_of, usage.gap_of, usage.billed, spoken[:, :-1].any(axis=1)])
    rows, code = np.unique(key, axis=0, return_inverse=True)
    sums = np.zeros((len(rows), len(METERS)))
    np.add.at(sums, code.ravel(), usage.quantities)
    sold_of, gap_of, billed = (np.asarray(rows[:, place], dtype=np.intp) for place in range(3))
    return Usage(sums, billed > 0, usage.gaps, gap_of, usage.sold, sold_of)


def price_missing(run: Run) -> bool:
    """Whether some row has no cost for want of a price: then the rows that have one are no fair sample."""
    columns = (run.turns["cost_unknown"], run.sessions["cost_unknown"])
    said = {part for column in columns for each in column.dropna().unique() for part in str(each).split("; ")}
    return any(lacks_a_price(part.partition(" (")[2]) for part in said)


def session_minutes(call: Columns) -> Floats:
    """From the open connection to its close, which is what a session that is billed by its length is billed for.

    A call that never came up has none. A row holds the call's length from its beginning, and its wait from its intended
    start.
    """
    waited_ms = call["connect_ms"] - np.nan_to_num(call["start_late_ms"])
    minutes: Floats = np.nan_to_num(np.maximum(0.0, call["duration_ms"] - waited_ms)) / 60_000
    return minutes


def _usage(frame: pd.DataFrame, prefix: str, server_model: pd.Series, transcription_model: pd.Series) -> Usage:
    column = Columns(frame, prefix)
    gap_of, gaps = _gaps(frame[f"{prefix}cost_unknown"])
    as_text = frame[f"{prefix}cost_note"].str.contains(CACHE_TAKEN_AS_TEXT, regex=False).fillna(value=False)
    quantities = np.zeros((len(frame), len(METERS)))
    quantities[:, MODEL] = _model(column, as_text.to_numpy(dtype=np.bool_))
    quantities[:, TRANSCRIPTION] = _transcription(column)
    quantities[:, SPEECH] = _speech(column)
    # A count that cannot be is named in `cost_unknown` and never charged.
    quantities[(quantities < 0) | (quantities > MOST_TOKENS)] = 0.0
    quantities[quantities[:, _MINUTES] > MOST_SECONDS / 60, _MINUTES] = 0.0
    said = ~np.isnan(np.column_stack([column[name] for name in (*_COUNTS, *_TOTALS)])).all(axis=1)
    spoken = ~np.isnan(np.column_stack([column[name] for name in _SPOKEN])).any(axis=1)
    responses = frame[f"{prefix}responses"].to_numpy(dtype=np.float64, na_value=0.0) > 0
    known = ~np.isnan(column["cost_usd"]) | ~np.isnan(column["cost_partial_usd"])
    billed = responses | said | spoken | known | frame[f"{prefix}cost_unknown"].notna().to_numpy(dtype=np.bool_)
    # A model that is billed by the minute has no token counts, and its rows do not say so: they lack nothing.
    silent = responses & ~said & ~known & np.array([not each for each in gaps], dtype=np.bool_)[gap_of]
    gaps, gap_of = _with_silence(gaps, gap_of, silent)
    speech_model = frame[f"{prefix}speech_model"]
    sold_of, sold = _sold(frame["target"], frame["model"], server_model, transcription_model, speech_model)
    return Usage(quantities, billed, gaps, gap_of, sold, sold_of)


_COUNTS = (*(f"{side}_{kind}" for kind in KINDS for side in ("in", "in_cached")), "out_text", "out_audio")
_TOTALS = ("in_total", "out_total", "out_reasoning")
_SPOKEN = ("transcription_seconds", "transcription_in_text", "transcription_in_audio", "transcription_out_text")
_SPEECH = ("speech_characters", "speech_seconds")


def _model(column: Columns, as_text: Mask) -> Floats:
    """Tokens of the model by meter, cached ones taken out of the input."""
    tokens = {kind: np.nan_to_num(column[f"in_{kind}"]) for kind in KINDS}
    cached = {kind: np.nan_to_num(column[f"in_cached_{kind}"]) for kind in KINDS}
    rest = np.where(as_text, cached["text"], 0.0)
    for kind in KINDS:
        taken = np.minimum(rest, tokens[kind])
        rest = rest - taken
        cached[kind] = np.minimum(np.where(as_text, taken, cached[kind]), tokens[kind])
    text, audio = np.nan_to_num(column["out_text"]), np.nan_to_num(column["out_audio"])
    reasoning = np.nan_to_num(column["out_reasoning"])
    beside = column["out_total"] >= text + audio + reasoning  # not so where there is no total
    fresh = [tokens[kind] - cached[kind] for kind in KINDS]
    columns = [*fresh, *cached.values(), text + np.where(beside, reasoning, 0.0), audio]
    return np.column_stack(columns)


def _transcription(column: Columns) -> Floats:
    tokens = [np.nan_to_num(column[f"transcription_{name}"]) for name in ("in_text", "in_audio", "out_text")]
    return np.column_stack([*tokens, np.nan_to_num(column["transcription_seconds"]) / 60])


def _speech(column: Columns) -> Floats:
    return np.column_stack([np.nan_to_num(column["speech_characters"]), np.nan_to_num(column["speech_seconds"]) / 60])


def _gaps(column: pd.Series) -> tuple[Codes, tuple[tuple[Unknown, ...], ...]]:
    """What each row lacks a count of, out of what it could not be priced for."""
    codes, said = codes_of(column)
    return codes, tuple(_gaps_said(each) for each in said)


def _gaps_said(text: str) -> tuple[Unknown, ...]:
    if text == "-":
        return ()
    found = []
    for part in text.split("; "):
        meter, _, reason = part.removesuffix(")").partition(" (")
        if not lacks_a_price(reason):
            found.append(Unknown(meter, reason))
    return tuple(found)


def _with_silence(
    gaps: tuple[tuple[Unknown, ...], ...], gap_of: Codes, silent: Mask
) -> tuple[tuple[tuple[Unknown, ...], ...], Codes]:
    if not silent.any():
        return gaps, gap_of
    return (*gaps, (Unknown(ALL_TOKENS, UNSAID),)), np.where(silent, len(gaps), gap_of)


def _sold(*columns: pd.Series) -> tuple[Codes, tuple[Sold, ...]]:
    codes = np.zeros(len(columns[0]), dtype=np.intp)
    for column in columns:
        own, names = pd.factorize(column, use_na_sentinel=False)
        codes = np.asarray(pd.factorize(codes * max(1, len(names)) + own)[0], dtype=np.intp)
    first = np.unique(codes, return_index=True)[1]
    return codes, tuple(Sold(*(text(column.iloc[at]) for column in columns)) for at in first)


def _taken(column: pd.Series, places: Codes) -> pd.Series:
    """The column's value at each place, null at -1."""
    values = [*column.astype("object"), None]
    return pd.Series([values[place] for place in places.tolist()], dtype="object")


def _transcription_of_call(turns: pd.DataFrame, call_of_turn: Codes, calls: int) -> pd.Series:
    """The transcription model of each call, as its turns name it."""
    named = turns["transcription_model"].notna().to_numpy(dtype=np.bool_) & (call_of_turn >= 0)
    values = np.full(calls, None, dtype="object")
    values[call_of_turn[named]] = turns["transcription_model"].astype("object").to_numpy()[named]
    # A call without a row of its own turns asked for the same as the others.
    known = [value for value in values if value is not None]
    return pd.Series(
        [value if value is not None else (known[0] if known else None) for value in values], dtype="object"
    )
