"""What a run measured of a conversation's turn taking, against what the server did.

In: a stored run, its timelines, and the truth logs. Out: tables of measured and true values, in the manner of
`bench.calibrate.truth`. The oracle is its own: it knows the instants at which events were written, and the acts of the
caller from the timeline. Trap: a value that only one side has is kept, so that whoever reads the table sees it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from bench.calibrate.sent import TrueSession, responses_of
from bench.store.reader import Run

NS_PER_MS = 1e6


def check_greetings(run: Run, sessions: Mapping[str, TrueSession], *, rate_hz: int = 24_000) -> pd.DataFrame:
    """One row per call: `greeting_ms`, `greeting_ms_true` and their difference `greeting_ms_error`; NaN for none."""
    rows = []
    for call in run.sessions.to_dict("records"):
        truth = sessions.get(str(call["server_session_id"]))
        true = math.nan if truth is None else _true_greeting_ms(truth, rate_hz)
        measured = float(call["greeting_ms"])
        rows.append(
            {
                "session_id": call["session_id"],
                "matched": truth is not None,
                "greeting_ms": measured,
                "greeting_ms_true": true,
                "greeting_ms_error": measured - true,
            }
        )
    return pd.DataFrame(rows)


def _true_greeting_ms(session: TrueSession, rate_hz: int) -> float:
    """From the write of `session.updated` to the first audible sample of a response before any audio was taken in."""
    ready_ns: int | None = None
    before: list[Mapping[str, Any]] = []
    for event in session.events:
        if event["type"] == "input_audio_buffer.committed":
            break
        if event["type"] == "session.updated" and ready_ns is None:
            ready_ns = event["at_ns"]
        before.append(event)
    found = responses_of(before, session.events)
    audible_ns = found[0].audible_ns(rate_hz) if found else None
    return math.nan if audible_ns is None or ready_ns is None else (audible_ns - ready_ns) / NS_PER_MS
