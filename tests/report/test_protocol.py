"""Events that were not understood are pooled over calls, and the reason is told where names give it away."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from bench.report.summary import summarise
from tests.report import build


def test_events_and_differences_are_pooled_and_named(tmp_path: Path) -> None:
    turns, sessions = build.rows(calls=6, fails=0)
    odd = "response.audio.delta x 400; response.audio.done x 2"
    set_otherwise = "the server set session.audio.output.voice to b, not to a as asked"
    sessions = [replace(row, unrecognised_events=odd, session_differences=set_otherwise) for row in sessions]
    summary = summarise(build.finished(tmp_path, turns, sessions))
    calls = len(sessions)
    assert summary.protocol.not_understood == {"response.audio.delta": 400 * calls, "response.audio.done": 2 * calls}
    assert summary.protocol.differences == {set_otherwise: calls}
    said = "\n".join(summary.verdict.warnings)
    assert f"response.audio.delta ({400 * calls:,})" in said
    assert "the server speaks the beta shape of the protocol" in said
    assert f"{set_otherwise} ({calls} calls)" in said


def test_other_events_have_no_reason_and_none_is_no_warning(tmp_path: Path) -> None:
    turns, sessions = build.rows(calls=4, fails=0)
    some = [replace(row, unrecognised_events="vendor.thing x 1") for row in sessions[:1]]
    summary = summarise(build.finished(tmp_path, turns, some + sessions[1:]))
    assert (summary.protocol.not_understood, summary.protocol.reason) == ({"vendor.thing": 1}, None)
    plain = summarise(build.finished(tmp_path / "plain", turns, sessions))
    assert not any("not understood" in line for line in plain.verdict.warnings)
