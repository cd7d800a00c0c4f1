"""What the run cost: totals by meter, and unit prices for planning.

In: a `View` and the manifest's price books. Out: `CostReport`.
Trap: a meter without a count or a price is unknown, not free: the total is then a lower bound, and the report names it.
Warm-up costs money and is in the total, and so is what belongs to no turn; unit prices are of measured rows only.
"""

from __future__ import annotations

import numpy as np

from bench.measure.outcome import ANSWERED
from bench.report.findings_cost import CostReport, Meter, UnknownMeter
from bench.report.latency import interval
from bench.report.stats import Estimate, Floats, pooled
from bench.report.view import Columns, Mask, View, counts, total

METERS = (
    ("cost_input_usd", "Input, not cached", ("in_text", "in_audio", "in_image")),
    ("cost_cached_usd", "Cached input", ("in_cached_text", "in_cached_audio", "in_cached_image")),
    ("cost_output_usd", "Output", ("out_text", "out_audio")),
    (
        "cost_transcription_usd",
        "Transcription",
        ("transcription_in_text", "transcription_in_audio", "transcription_out_text"),
    ),
    ("cost_speech_usd", "Speech", ()),
)
USAGE = (*(column for _, _, columns in METERS for column in columns), "transcription_seconds")


def cost(view: View) -> CostReport:
    """Totals over every row; per turn, call and conversation minute over measured rows that have a price."""
    turns, sessions = view.turns, view.sessions
    spent, per_call = view.turn["cost_usd"], view.call["cost_usd"]
    known_turns, known_calls = _known(view.turn), _known(view.call)
    with_row = turns["session_id"].isin(sessions["session_id"]).to_numpy(dtype=np.bool_)
    priced_call = turns["session_id"].isin(sessions["session_id"][~np.isnan(per_call)]).to_numpy(dtype=np.bool_)
    unpriced = np.isnan(spent) & ~priced_call
    minutes = view.call["duration_ms"] / 60_000
    calls = view.calls_measured & ~np.isnan(per_call)
    per_minute, _ = cost_per_minute(view)
    usage = {name: _everywhere(view, name) for name in USAGE}
    unknown = _unknown(view)
    failed = ~turns["status"].isin(ANSWERED).to_numpy(dtype=np.bool_)
    own = spent[~np.isnan(spent) & ~view.warmup]
    per_session = float(per_call[calls].mean()) if calls.any() else None
    books = view.run.manifest.price_books
    return CostReport(
        # A call's own sum also holds what is billed by the minute; turns of a call that was cut off have no other.
        total_usd=total(np.concatenate([known_calls, known_turns[~with_row]])),
        at_least=bool(unknown) or bool((view.answered & unpriced).any()),
        unknown=unknown,
        failed_turns=int(failed.sum()),
        failed_usd=total(known_turns[failed]),
        other_responses=int(total(view.call["other_responses"]) or 0),
        other_usd=total(_known(view.call, "other_")),
        warmup_usd=total(np.concatenate([known_calls[view.calls_warmup], known_turns[~with_row & view.warmup]])),
        priced_turns=int((~unpriced).sum()),
        unpriced_turns=int(unpriced.sum()),
        unpriced_answered=int((view.answered & unpriced).sum()),
        notes=counts(turns["cost_note"]),
        meters=[
            Meter(name=name, title=title, usd=_everywhere(view, name), tokens=_tokens(usage, columns))
            for name, title, columns in METERS
        ],
        usage={name: value for name, value in usage.items() if value is not None},
        per_turn_usd=float(own.mean()) if len(own) else None,
        per_session_usd=per_session,
        per_conversation_minute_usd=per_minute.value,
        per_conversation_minute_interval=interval(per_minute),
        per_1000_sessions_usd=None if per_session is None else per_session * 1000,
        conversation_minutes=float(np.nansum(minutes[view.calls_measured])),
        books=[f"{book.name} of {book.date}" if book.date else book.name for book in books],
        example_prices=any(book.example for book in books),
        estimate=view.run.manifest.estimate,
        budget=view.run.manifest.budget,
    )


def cost_per_minute(view: View, part: Mask | None = None) -> tuple[Estimate, int]:
    """USD per minute of conversation over the priced calls of `part` (or all), and how many calls those are."""
    pairs, timed = priced_minutes(view, part)
    return pooled(pairs[:, 0], pairs[:, 1], np.flatnonzero(timed))[0], int(timed.sum())


def priced_minutes(view: View, part: Mask | None = None) -> tuple[Floats, Mask]:
    """USD and minutes, shape (calls, 2), of the calls of `part` that have both, and which those are."""
    per_call, minutes = view.call["cost_usd"], view.call["duration_ms"] / 60_000
    timed = view.calls_measured & ~np.isnan(per_call) & ~np.isnan(minutes)
    if part is not None:
        timed &= part
    return np.column_stack([per_call[timed], minutes[timed]]), timed


def _known(table: Columns, prefix: str = "") -> Floats:
    """The cost of each row, or the part of it that could be priced."""
    whole = table[f"{prefix}cost_usd"]
    return np.where(np.isnan(whole), table[f"{prefix}cost_partial_usd"], whole)


def _everywhere(view: View, name: str) -> float | None:
    """The sum over all turns, and over what calls were billed besides."""
    return total(np.concatenate([view.turn[name], view.call[f"other_{name}"]]))


def _unknown(view: View) -> list[UnknownMeter]:
    """The meters without a sum, those of most turns first."""
    found: dict[str, UnknownMeter] = {}
    of_turns, of_calls = counts(view.turns["cost_unknown"]), counts(view.sessions["other_cost_unknown"])
    for said, turns, calls in (
        *((each, rows, 0) for each, rows in of_turns.items()),
        *((each, 0, rows) for each, rows in of_calls.items()),
    ):
        for part in said.split("; "):
            meter, _, reason = part.removesuffix(")").partition(" (")
            entry = found.setdefault(part, UnknownMeter(meter=meter, reason=reason))
            entry.turns += turns
            entry.calls += calls
    return sorted(found.values(), key=lambda each: (-each.turns, -each.calls, each.meter, each.reason))


def _tokens(usage: dict[str, float | None], columns: tuple[str, ...]) -> int | None:
    """Tokens behind one meter; servers count cached tokens inside the input, meters count them apart."""
    known = [value for value in (usage[column] for column in columns) if value is not None]
    if not known:
        return None
    cached = sum(usage[column] or 0 for column in METERS[1][2]) if columns == METERS[0][2] else 0
    return int(sum(known) - cached)
