"""One turn of a live test as the page shows it."""

from __future__ import annotations

from dataclasses import replace

from bench.live.turn_card import turn_card
from tests.report import build


def test_a_turn_shows_its_milestones_in_their_order_and_its_cost() -> None:
    row = build.rows(1, 1, fails=0.0, warm=0)[0][0]
    card = turn_card(row, "balance please", ["clipped"], "It is sharp.")
    marks = {mark["name"]: mark["at_ms"] for mark in card["marks"]}
    assert marks["first_audible_ms"] == round(row.first_audible_ms or 0, 1)
    assert list(marks.values()) == sorted(marks.values())
    assert (card["status"], card["meaning"], card["said"], card["doubts"]) == (
        "ok",
        None,
        "balance please",
        ["clipped"],
    )
    assert card["sharpness"] == "It is sharp."
    assert card["cost_usd"] == row.cost_usd
    assert card["cost"].startswith("$0.0")
    assert card["wer"] == row.wer


def test_what_was_not_measured_is_null() -> None:
    row = build.fail(build.rows(1, 1, fails=0.0, warm=0)[0][0], "no_reply", "timeout", None, "no reply within 15 s")
    card = turn_card(replace(row, reference="", wer=None), "(your voice)")
    assert (card["marks"], card["cost_usd"], card["cost"], card["wer"]) == ([], None, "-", None)
    assert card["meaning"]
    assert card["error"] == "no reply within 15 s"
