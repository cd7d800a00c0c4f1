"""In how many sessions a call went on, what that cost the caller, and how long the server said that one lasts.

In: a `Timeline` and a wall-clock anchor. Out: columns of a call. Trap: a renewal that failed is none: its call failed,
and says so by its stage.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from bench.audio.playback import NS_PER_MS
from bench.facts.renewal import Renewal
from bench.facts.signals import SessionCreated, SessionEnds
from bench.facts.timeline import Timeline, TurnFacts
from bench.measure.records import WallAnchor


def renewed(timeline: Timeline) -> list[Renewal]:
    """The renewals that led to a session that could be used."""
    return [each for each in timeline.renewals if each.connection.ready_ns is not None]


def renewals_before(timeline: Timeline, turn: TurnFacts) -> int:
    """How often the call had been renewed when `turn` began."""
    return sum((each.connection.ready_ns or 0) <= turn.t0_ns for each in renewed(timeline))


def renewal_columns(timeline: Timeline, anchor: WallAnchor) -> dict[str, Any]:
    """What the row of a call says of its sessions."""
    found = renewed(timeline)
    waits = [((each.connection.ready_ns or 0) - each.connection.intended_ns) / NS_PER_MS for each in found]
    created = [entry.signal for entry in timeline.entries if isinstance(entry.signal, SessionCreated)]
    names = [signal.session_id for signal in created if signal.session_id]
    reasons = Counter(each.by for each in found)
    return {
        "renewals": len(found),
        "renewed_by": "; ".join(f"{by} x {count}" for by, count in reasons.most_common()) or None,
        "renewals_failed": len(timeline.renewals) - len(found),
        "renewals_resumed": sum(each.resumed for each in found) if found else None,
        "renewals_retold": sum(each.retold for each in found) if found else None,
        "renew_ms": max(waits, default=None),
        "server_session_ids": "; ".join(names) or None if timeline.renewals else None,
        "session_lifetime_s": _lifetime_s(timeline, anchor),
        "expiry_notice_ms": next(
            (
                entry.signal.in_ms
                for entry in timeline.entries
                if isinstance(entry.signal, SessionEnds) and entry.signal.in_ms is not None
            ),
            None,
        ),
    }


def _lifetime_s(timeline: Timeline, anchor: WallAnchor) -> float | None:
    """How long the first session was to last by the server's word; None where it said nothing that can be."""
    for entry in timeline.entries:
        signal = entry.signal
        if isinstance(signal, SessionEnds) and signal.at_unix_s is not None:
            left_s = signal.at_unix_s - anchor.wall(signal.at_ns)
            return round(left_s, 1) if 0 < left_s < 24 * 3600 else None
    return None
