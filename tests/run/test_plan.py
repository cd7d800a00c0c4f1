"""What a run keeps of the recordings that it plays."""

from __future__ import annotations

from dataclasses import replace

from bench.audio.catalogue import BY_HAND, load_catalogue, shipped_catalogue
from bench.audio.end_range import EndRange
from bench.audio.recording_checks import RecordingCheck
from bench.run.plan import recording_ends
from bench.store.manifest import RecordingEnd


def test_a_run_keeps_where_speech_ends_and_how_sharp_that_is() -> None:
    heard = load_catalogue(shipped_catalogue()).get("balance-rms")
    by_hand = replace(heard, id="mine", annotated=BY_HAND, speech_end_ms=2500.0)
    fixtures = {each.id: each for each in (heard, by_hand)}
    checks = {heard.id: RecordingCheck([], EndRange(2500.41666, 2559.4)), by_hand.id: RecordingCheck([], None)}
    assert recording_ends(fixtures, checks) == {
        "balance-rms": RecordingEnd(end_ms=heard.speech_end_ms, earliest_ms=2500.417, latest_ms=2559.4),
        "mine": RecordingEnd(end_ms=2500.0, annotated="by hand"),
    }
