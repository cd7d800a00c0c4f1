"""Columns of a call that went on in new sessions."""

from __future__ import annotations

from bench.facts.connection import Connection
from bench.facts.renewal import Renewal, RenewedBy
from bench.facts.signals import SessionCreated, SessionEnds
from bench.facts.timeline import timeline_from_dict, timeline_to_dict
from bench.measure.records import WallAnchor
from bench.measure.renewals import renewal_columns
from bench.measure.sessions import measure_session
from bench.measure.turns import measure_turn
from tests.measure.build import ANCHOR, T0_NS, facts, good_reply, timeline

MS = 1_000_000


def renewal(by: RenewedBy, at_ns: int, took_ms: float | None, *, resumed: bool = False, retold: int = 0) -> Renewal:
    ready_ns = None if took_ms is None else at_ns + round(took_ms * MS)
    return Renewal(by, Connection(at_ns, at_ns, ready_ns=ready_ns), resumed, retold)


def test_a_call_of_one_session() -> None:
    found = renewal_columns(timeline(good_reply(), facts()), ANCHOR)
    assert found["renewals"] == 0
    assert {name for name, value in found.items() if value} == set()
    assert {name for name, value in found.items() if value is not None} == {"renewals", "renewals_failed"}


def test_renewals_are_counted_by_their_reason_and_the_longest_is_told() -> None:
    signals = [SessionCreated(1, "s1"), SessionEnds(2, in_ms=5000.0), SessionCreated(3, "s2"), SessionCreated(4, "s3")]
    call = timeline([*signals], facts())
    call.renewals += [renewal("notice", 10, 40, resumed=True), renewal("notice", 20, 90, retold=4)]
    call.renewals.append(renewal("after", 30, None))
    found = renewal_columns(call, ANCHOR)
    assert (found["renewals"], found["renewed_by"], found["renew_ms"]) == (2, "notice x 2", 90)
    assert (found["renewals_resumed"], found["renewals_retold"], found["renewals_failed"]) == (1, 4, 1)
    assert (found["server_session_ids"], found["expiry_notice_ms"]) == ("s1; s2; s3", 5000)


def test_the_life_that_the_server_told() -> None:
    anchor = WallAnchor(monotonic_ns=0, unix_s=1_700_000_000.0)
    call = timeline([SessionEnds(10_000 * MS, at_unix_s=1_700_000_010.0 + 3600)], facts())
    assert renewal_columns(call, anchor)["session_lifetime_s"] == 3600
    call = timeline([SessionEnds(10_000 * MS, at_unix_s=5.0)], facts())
    assert renewal_columns(call, anchor)["session_lifetime_s"] is None


def test_a_turn_knows_how_often_its_call_was_renewed_before_it() -> None:
    turn = facts()
    call = timeline(good_reply(), turn)
    call.renewals += [renewal("after", T0_NS - 100 * MS, 20), renewal("after", T0_NS + 5000 * MS, 20)]
    assert measure_turn(call, turn, wall_anchor=ANCHOR).renewals == 1
    assert measure_session(call, [], ANCHOR).renewals == 2


def test_renewals_survive_being_stored() -> None:
    call = timeline(good_reply(), facts())
    call.renewals.append(renewal("expiry", 5, 7, resumed=True))
    assert timeline_from_dict(timeline_to_dict(call)).renewals == call.renewals
