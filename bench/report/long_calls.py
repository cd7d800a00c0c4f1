"""Calls that outlived a session: how many went on in a new one, and how many the server ended because of their age.

In: a `View`. Out: `LongCalls`. Trap: a server tells every call how long it may last; a run in which no call came near
that has nothing to say here.
"""

from __future__ import annotations

from collections import Counter

import numpy as np

from bench.facts.renewal import EXPIRED
from bench.report.findings_long_calls import LongCalls
from bench.report.shares import share
from bench.report.view import View, equals


def long_calls(view: View) -> LongCalls:
    """Nothing where every call ended within its first session."""
    sessions = view.sessions[view.calls_measured]
    expired = equals(view.sessions, "error_code", EXPIRED) & view.calls_measured
    renewals = sessions["renewals"].fillna(0).astype(int) if "renewals" in sessions else None
    failed = int(sessions["renewals_failed"].fillna(0).sum()) if "renewals_failed" in sessions else 0
    if not expired.any() and not failed and (renewals is None or not renewals.any()):
        return LongCalls()
    found = LongCalls(calls=len(sessions), expired=share(view, "expired_rate").rate())
    if renewals is None:
        return found
    found.failed = failed
    reasons: Counter[str] = Counter()
    for said in sessions["renewed_by"].dropna():
        for part in str(said).split("; "):
            name, _, count = part.partition(" x ")
            reasons[name] += int(count or 1)
    found.renewed, found.renewals = int((renewals > 0).sum()), int(renewals.sum())
    found.by = dict(reasons.most_common())
    found.resumed = int(sessions["renewals_resumed"].fillna(0).sum())
    found.retold = int(sessions["renewals_retold"].fillna(0).sum())
    found.lifetime_s = _median(sessions["session_lifetime_s"])
    found.notice_ms = _median(sessions["expiry_notice_ms"])
    return found


def _median(values: object) -> float | None:
    known = np.asarray(values, dtype=np.float64)
    known = known[~np.isnan(known)]
    return float(np.median(known)) if len(known) else None
