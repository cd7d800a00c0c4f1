"""Calls that outlived a session, as a table. Nothing for a run without any."""

from __future__ import annotations

from bench.report.document import Column, Row, Section, Table, row
from bench.report.findings import Summary
from bench.report.findings_long_calls import LongCalls
from bench.report.phrases import amount, between_percent, of, percent, seconds

SAID = (
    "A server ends a session after a time of its own. A call that is renewed goes on in a new session, between two "
    "turns, and stays one call; one that is not is ended by the server as session_expired."
)
_NOTE = "Set session.renew in the scenario, so that long calls go on in a new session."
_REASONS = {
    "after": "at the age that the scenario names",
    "expiry": "before the end that the server told",
    "notice": "after the server's notice",
}


def long_calls_section(summary: Summary) -> Section:
    """One table: calls ended by their age, calls renewed, why, and what the new sessions knew."""
    found = summary.long_calls
    if not found.calls or found.expired is None:
        return Section("sessions", "Long calls", ())
    limits = found.expired.interval
    ended = percent(found.expired.rate)
    rows = [
        row(
            "Calls ended by the server's limit", ended, f"{of(found.expired)} (session_expired)", metric="expired_rate"
        ),
        row("Calls that were renewed", percent(found.renewed / found.calls), f"{found.renewed:,} of {found.calls:,}"),
        *([row("Renewals that failed, and ended their call", "", f"{found.failed:,}")] if found.failed else []),
        *_renewals(found),
    ]
    if found.lifetime_s is not None:
        rows.append(row("A session's life, as the server told", "", seconds(found.lifetime_s)))
    if found.notice_ms is not None:
        rows.append(row("The server's notice of the end", "", f"{seconds(found.notice_ms / 1000)} before it"))
    notes = [] if limits is None else [f"Calls ended by the limit, 95 % interval: {between_percent(limits)}."]
    if found.expired.events and not found.renewed:
        notes.append(_NOTE)
    columns = (Column("share"), Column("count", text=True))
    table = Table("Long calls", columns, tuple(rows), "What", "LONG CALLS", tuple(notes))
    return Section("sessions", "Long calls", (table,), (SAID,))


def _renewals(found: LongCalls) -> list[Row]:
    if not found.renewals:
        return []
    rows = [
        row(f"  Renewed {_REASONS.get(by, by)}", percent(count / found.renewals), amount(count, "renewal"))
        for by, count in found.by.items()
    ]
    rows.append(
        row("  Context kept by the server", percent(found.resumed / found.renewals), amount(found.resumed, "renewal"))
    )
    if found.retold:
        rows.append(row("  Context told as text", "", amount(found.retold, "text")))
    return rows
