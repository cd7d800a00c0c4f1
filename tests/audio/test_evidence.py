"""Recordings as people have them: the end is right to 30 ms, or it is refused, or there is a doubt in numbers."""

from __future__ import annotations

import re
from functools import cache

import numpy as np
import pytest

from bench.audio.catalogue import BY_HAND, load_catalogue, shipped_catalogue
from bench.audio.evidence import Judgement, judge
from tests.support.recordings import KINDS, RATE_HZ, beep, messy, take, voice

from .signals import joined, noise, silence, tone

SLOW = pytest.mark.slow
RIGHT_MS = 30.0
FIXTURES = ("balance-rms", "appointment-kal16")
# The end of what is heard is not that of what was said dry: a fade is told where it is long.
UNTOLD = {"faded out"}
UNTOUCHED = (
    "clean",
    "rumble at 30 dB",
    "rumble at 20 dB",
    "DC 0.02",
    "DC -0.05",
    "G.711 mu",
    "G.711 A",
    "click before",
)


@cache
def judged(kind: str, fixture_id: str) -> tuple[Judgement, float | None]:
    """What is found in a recording, and how far its end of speech is from the true one."""
    made = messy(kind, fixture_id)
    found = judge(made.pcm, RATE_HZ, made.text)
    return found, None if found.level is None else found.level.end_ms - made.end_ms


@pytest.mark.parametrize("fixture_id", [FIXTURES[0], *(pytest.param(each, marks=SLOW) for each in FIXTURES[1:])])
@pytest.mark.parametrize("kind", sorted(KINDS.keys() - UNTOLD))
def test_no_end_is_wrong_in_silence(kind: str, fixture_id: str) -> None:
    found, error_ms = judged(kind, fixture_id)
    right = error_ms is not None and abs(error_ms) <= RIGHT_MS
    assert right or found.findings
    assert all(re.search(r"\d", finding.message) for finding in found.findings)


@pytest.mark.parametrize("kind", UNTOUCHED)
def test_what_is_no_sound_of_speech_moves_nothing_and_is_no_reason_to_doubt(kind: str) -> None:
    for fixture_id in FIXTURES:
        found, error_ms = judged(kind, fixture_id)
        assert error_ms == pytest.approx(0, abs=10)
        assert found.findings == ()


@pytest.mark.parametrize(
    "kind", ["white noise at 45 dB", "pink noise at 40 dB", "hum of 60 Hz", "very quiet", "very loud"]
)
def test_a_moderately_degraded_recording_is_not_refused(kind: str) -> None:
    for fixture_id in FIXTURES:
        found, error_ms = judged(kind, fixture_id)
        assert found.refusals == ()
        assert error_ms == pytest.approx(0, abs=RIGHT_MS)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("handset put down", "comes .* ms after the rest and has no pitch"),
        ("breath", "comes .* ms after the rest and has no pitch"),
        ("breath at once", "ms have no pitch|has no pitch"),
        ("cough", "has no pitch"),
        ("beep", "is a tone"),
        ("dialled digit", "is a tone"),
        ("hold music", "detectors disagree about the end of speech by [0-9,]+ ms"),
        ("another voice", "waits 500 ms"),
        ("a voice far away", "dB softer"),
        ("white noise at 20 dB", "background is 2. dB under"),
        ("noise, then zeros", "background is 3. dB under"),
        ("cut within speech", "runs to . ms before the end of the file"),
        ("large room", "fades out"),
        ("clipped", "are clipped"),
    ],
)
def test_each_doubt_names_its_reason(kind: str, words: str) -> None:
    found, _ = judged(kind, "order-status-slt")
    assert re.search(words, "; ".join(finding.message for finding in found.findings))


def test_noise_that_ends_in_zeros_is_not_speech() -> None:
    found, error_ms = judged("soft noise, then zeros", "balance-rms")
    assert found.duration_ms > 5_000
    assert error_ms == pytest.approx(0, abs=RIGHT_MS)


def test_a_hiss_that_the_telephone_took_is_missed_in_words() -> None:
    found, error_ms = judged("G.711 mu", "yes-slt")
    assert error_ms is not None
    assert error_ms < -100
    assert "the text ends in 's'" in found.doubts[0]


@pytest.mark.parametrize("every", [12, pytest.param(1, marks=SLOW)])
def test_the_shipped_recordings_are_beyond_doubt(every: int) -> None:
    by_the_detectors = [
        one for one in load_catalogue(shipped_catalogue()).fixtures.values() if one.annotated != BY_HAND
    ]
    for fixture in by_the_detectors[::every]:
        found = judge(fixture.load_pcm(RATE_HZ), RATE_HZ, fixture.text, fixture.language)
        assert (fixture.id, found.findings) == (fixture.id, ())
        assert found.level is not None
        assert found.level.end_ms == pytest.approx(fixture.speech_end_ms, abs=9)


def test_what_is_no_speech_is_refused() -> None:
    for pcm, words in (
        (silence(900), "finds no speech"),
        (joined(silence(200), tone(1500, hz=440), silence(300)), "pure tone"),
    ):
        found = judge(pcm, RATE_HZ, "Hello there.")
        assert re.search(words, "; ".join(found.refusals))


def test_noise_alone_or_a_whisper_is_in_doubt() -> None:
    found = judge(joined(silence(300), noise(1200, rms_dbfs=-25), silence(400)), RATE_HZ, "Hello there.")
    assert "0 % of what sounds like speech has the pitch of a voice" in "; ".join(found.doubts)
    assert found.refusals == ()


def test_words_that_nobody_can_say_so_fast_are_refused() -> None:
    cut = take("yes-rms").pcm
    assert "syllables" in judge(cut, RATE_HZ, "My order number is four five seven nine one, please.").refusals[0]
    assert judge(cut, RATE_HZ, "Yes.").findings == ()


def test_a_stereo_like_sum_of_two_speakers_is_in_doubt() -> None:
    made = take("balance-rms")
    made.add(voice("hours-friday-awb", -6)(made), made.end_ms + 300)
    made.add(beep()(made), made.end_ms + 2600)
    made.silence_after(300)
    assert judge(made.pcm, RATE_HZ, made.text).findings


def test_any_rate_gives_the_same_judgement() -> None:
    fixture = load_catalogue(shipped_catalogue()).get("order-status-slt")
    for rate_hz in (16_000, 44_100, 96_000):
        found = judge(fixture.load_pcm(rate_hz), rate_hz, fixture.text)
        assert found.findings == ()
        assert found.level is not None
        assert found.level.end_ms == pytest.approx(fixture.speech_end_ms, abs=10)


def test_short_and_empty_samples_are_no_crash() -> None:
    for count in (0, 1, 5, 200, 719, 2400):
        for value in (0, 9000):
            assert judge(np.full(count, value, np.int16), RATE_HZ, "hi").findings
