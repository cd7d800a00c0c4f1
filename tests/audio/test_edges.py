"""Speech that the file cuts off, and recordings that are cut tight and right."""

from __future__ import annotations

import numpy as np
import pytest

from bench.audio.catalogue import load_catalogue, shipped_catalogue
from bench.audio.evidence import judge
from tests.support.recordings import RATE_HZ, Take, at, cut, take

IDS = ("balance-rms", "appointment-slt", "balance-it", "order-number-es", "appointment-de", "balance-zh")


def doubts(made: Take, language: str = "en", text: str | None = None) -> str:
    return "; ".join(judge(made.pcm, RATE_HZ, made.text if text is None else text, language).doubts)


def language_of(fixture_id: str) -> str:
    return load_catalogue(shipped_catalogue()).get(fixture_id).language


@pytest.mark.parametrize("fixture_id", IDS)
@pytest.mark.parametrize("lost_ms", [40, 90, 180, 400])
def test_speech_that_the_file_cuts_off_is_told(fixture_id: str, lost_ms: float) -> None:
    made = take(fixture_id)
    cut(lost_ms)(made)
    assert doubts(made, language_of(fixture_id))


@pytest.mark.parametrize("fixture_id", IDS)
def test_a_tight_cut_after_the_last_sound_is_no_reason_to_doubt(fixture_id: str) -> None:
    made = take(fixture_id)
    made.samples = made.samples + made.peak * 10 ** (-66 / 20) * made.rng.standard_normal(len(made.samples))
    cut(-60)(made)
    assert "of the file" not in doubts(made, language_of(fixture_id))


def test_a_burst_that_the_text_ends_in_must_be_heard() -> None:
    made = take("balance-rms")
    spoken = made.samples[: at(made.end_ms)]
    # the closure of the last /t/ is there, its burst is not
    closure = np.zeros(at(60))
    made.samples = np.concatenate((spoken[: at(made.end_ms - 90)], closure))
    assert doubts(made)


def test_a_text_that_cannot_be_read_is_told_at_a_tight_cut() -> None:
    made = take("balance-rms")
    cut(-60)(made)
    found = doubts(made, "ja", "残高はいくらですか")
    assert "ms of the file follow" in found
    assert "cannot be read aloud in ja" in found


def test_speech_that_is_cut_off_at_its_beginning_is_told() -> None:
    made = take("balance-rms")
    made.samples = made.samples[at(made.start_ms + 200) :]
    assert "after the start of the file" in doubts(made)
    assert "after the start" not in doubts(take("balance-rms"))
