"""How wrong the time of a renewal is: when a call had its new session against when the server had configured it.

In: the timelines of a run and the truth logs of its server. Out: one row for each renewal whose session the server
knows. Trap: the sessions of a call are joined by the server's names for them, in the order in which they were created.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pandas as pd

from bench.calibrate.sent import TrueSession
from bench.facts.signals import SessionCreated
from bench.facts.timeline import Timeline

NS_PER_MS = 1e6
COLUMNS = ["session_id", "renewal", "by", "resumed", "true_resumed", "renew_ms", "renew_ms_true", "renew_ms_error"]


def check_renewals(timelines: Iterable[Timeline], sessions: Mapping[str, TrueSession]) -> pd.DataFrame:
    """One row for each renewal; columns: `COLUMNS`, times from the beginning of the renewal."""
    rows = []
    for timeline in timelines:
        signals = [entry.signal for entry in timeline.entries]
        names = [signal.session_id for signal in signals if isinstance(signal, SessionCreated)]
        for place, renewal in enumerate(timeline.renewals):
            line = renewal.connection
            truth = sessions.get(names[place + 1] or "") if place + 1 < len(names) else None
            if truth is None or line.ready_ns is None:
                continue
            kinds = {event["type"]: event["at_ns"] for event in reversed(truth.events)}
            measured_ms = (line.ready_ns - line.intended_ns) / NS_PER_MS
            true_ms = (kinds["session.updated"] - line.intended_ns) / NS_PER_MS
            told = (renewal.by, renewal.resumed, "session.resumed" in kinds)
            rows.append([timeline.labels.session_id, place, *told, measured_ms, true_ms, measured_ms - true_ms])
    return pd.DataFrame(rows, columns=COLUMNS)
