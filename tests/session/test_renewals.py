"""When a session is to be renewed, from what the scenario says and what the server tells; and which end was told."""

from __future__ import annotations

import pytest

from bench.dialects.session_renewal import Renew
from bench.facts.signals import SessionEnds
from bench.session.renewals import Due, Renewals

S = 1_000_000_000
WALL_S = 1_700_000_000.0


def renewals(**policy: object) -> Renewals:
    found = Renewals(Renew.model_validate(policy))
    found.begin()
    found.ready(100 * S)
    return found


def tell(found: Renewals, *, unix_s: float | None = None, in_ms: float | None = None, now_s: int = 100) -> None:
    found.told(SessionEnds(now_s * S, unix_s, in_ms), wall_s=WALL_S, now_ns=now_s * S)


def test_never_without_a_policy() -> None:
    found = Renewals(None)
    found.ready(0)
    tell(found, in_ms=10)
    assert found.due is None
    assert found.expired(100 * S), "but its end is known"


def test_at_an_age() -> None:
    assert renewals(after="25m").due == Due((100 + 1500) * S, "after")


def test_before_the_end_that_was_told() -> None:
    found = renewals()
    assert found.due is None, "nothing was told"
    tell(found, unix_s=WALL_S + 3600)
    assert found.due == Due((100 + 3600 - 60) * S, "expiry")


def test_what_comes_first() -> None:
    found = renewals(after="10m", before_expiry="1m")
    tell(found, unix_s=WALL_S + 300)
    assert found.due == Due((100 + 240) * S, "expiry")


def test_a_notice_is_newer_than_what_was_told_at_the_beginning() -> None:
    found = renewals(before_expiry="2m")
    tell(found, unix_s=WALL_S + 3600)
    tell(found, in_ms=60_000, now_s=600)
    assert found.due_now(600 * S) == Due((600 + 60 - 120) * S, "notice")
    tell(found, unix_s=WALL_S + 3600, now_s=601)
    assert found.due == Due(540 * S, "notice")


def test_a_margin_longer_than_a_life_does_not_renew_all_the_time() -> None:
    found = renewals(before_expiry="1m")
    tell(found, unix_s=WALL_S + 10)
    assert found.due == Due(105 * S, "expiry")


@pytest.mark.parametrize("unix_s", [WALL_S - 1, WALL_S, WALL_S + 2 * 86400, 0.0])
def test_an_end_that_cannot_be_says_nothing(unix_s: float) -> None:
    found = renewals()
    tell(found, unix_s=unix_s)
    assert found.due is None
    assert not found.expired(10**18)


def test_the_servers_word_may_be_left_alone() -> None:
    found = renewals(after="10m", before_expiry=None)
    tell(found, in_ms=1000)
    assert found.due == Due((100 + 600) * S, "after")


def test_a_new_session_begins_anew() -> None:
    found = renewals(after="10m")
    tell(found, in_ms=1000)
    found.begin()
    assert found.due is None
    found.ready(500 * S)
    assert found.due == Due((500 + 600) * S, "after")


@pytest.mark.parametrize(("closed_s", "expired"), [(100, False), (157, False), (159, True), (160, True), (400, True)])
def test_an_end_is_the_told_one_only_near_it(closed_s: int, expired: bool) -> None:
    found = renewals()
    tell(found, in_ms=60_000)
    assert found.expired(closed_s * S) == expired
