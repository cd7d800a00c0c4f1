"""The first audible sample of a reply, however its audio is cut into chunks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from bench.audio.catalogue import load_catalogue, shipped_catalogue
from bench.audio.formats import AudioFormat
from bench.audio.onset import OnsetDetector

from .signals import first_audible_sample, joined, noise, silence, tone


def in_chunks(pcm: NDArray[np.int16], rate_hz: int, cuts: list[int]) -> int | None:
    detector = OnsetDetector(rate_hz)
    for part in np.split(pcm, sorted(cuts)):
        found = detector.feed(part)
        if found is not None:
            assert detector.finish() == found
            return found
    return detector.finish()


@pytest.mark.parametrize("rate_hz", [8_000, 24_000])
@pytest.mark.parametrize("lead_ms", [0, 5, 120, 123.4, 129.5])
def test_leading_silence_is_measured_to_two_milliseconds(rate_hz: int, lead_ms: float) -> None:
    for voice in (tone(400, rate_hz, level=0.02), tone(400, rate_hz, hz=150), noise(400, rate_hz, rms_dbfs=-25)):
        onset = first_audible_sample(joined(silence(lead_ms, rate_hz), voice), rate_hz)
        assert onset is not None
        assert onset * 1000 / rate_hz == pytest.approx(lead_ms, abs=2)


def test_real_speech_after_120_ms_of_silence_and_through_g711() -> None:
    fixture = load_catalogue(shipped_catalogue()).get("order-status-slt")
    speech = fixture.load_pcm(24_000)[round(fixture.speech_start_ms * 24) :]
    onset = first_audible_sample(joined(silence(120), speech), 24_000)
    assert onset is not None
    assert onset / 24 == pytest.approx(120, abs=2)
    narrow = fixture.load_pcm(8_000)[round(fixture.speech_start_ms * 8) :]
    for law in (AudioFormat.PCMU, AudioFormat.PCMA):
        heard = law.decode(law.encode(joined(silence(120, 8_000), narrow)))
        onset = first_audible_sample(heard, 8_000)
        assert onset is not None
        assert onset / 8 == pytest.approx(120, abs=2)


def test_silence_hiss_and_clicks_are_not_a_reply() -> None:
    click = tone(4, hz=1500, level=0.9)
    assert first_audible_sample(silence(1000), 24_000) is None
    assert first_audible_sample(np.zeros(0, np.int16), 24_000) is None
    assert first_audible_sample(noise(1000, rms_dbfs=-60), 24_000) is None
    assert first_audible_sample(joined(silence(100), click, silence(200)), 24_000) is None
    onset = first_audible_sample(joined(silence(40), click, silence(96), tone(300), silence(100)), 24_000)
    assert onset is not None
    assert onset / 24 == pytest.approx(140, abs=2)


def test_noise_just_under_the_threshold_does_not_pull_the_onset_forward() -> None:
    pcm = joined(silence(120), tone(300, level=0.1)) + noise(420, rms_dbfs=-56)
    onset = first_audible_sample(pcm, 24_000)
    assert onset is not None
    assert onset / 24 == pytest.approx(120, abs=2)


def test_a_reply_that_ends_early_is_decided_at_the_end() -> None:
    detector = OnsetDetector(24_000)
    assert detector.feed(joined(silence(60), tone(17))) is None
    assert detector.onset is None
    onset = detector.finish()
    assert onset is not None
    assert onset / 24 == pytest.approx(60, abs=2)
    assert first_audible_sample(joined(silence(60), tone(17), silence(60)), 24_000) is None
    tiny = first_audible_sample(tone(4), 24_000)
    assert tiny is not None
    assert tiny <= 48


def test_the_answer_comes_as_soon_as_it_is_certain_and_stays() -> None:
    detector = OnsetDetector(24_000)
    assert detector.feed(joined(silence(100), tone(29))) is None
    found = detector.feed(tone(2))
    assert found is not None
    assert detector.feed(silence(500)) == found == detector.onset == detector.finish()


def test_the_threshold_is_a_parameter() -> None:
    quiet = joined(silence(100), tone(200, level=0.002))  # -57 dBFS
    assert first_audible_sample(quiet, 24_000) is None
    assert OnsetDetector(24_000, threshold_dbfs=-65.0).feed(quiet) is not None
    with pytest.raises(ValueError, match="positive"):
        OnsetDetector(0)


@settings(deadline=None)
@given(
    parts=st.lists(st.tuples(st.sampled_from(["silence", "tone", "hiss", "soft"]), st.integers(1, 60)), max_size=8),
    cuts=st.lists(st.integers(0, 4000), max_size=12),
    rate_hz=st.sampled_from([8_000, 24_000]),
)
def test_chunk_boundaries_never_matter(parts: list[tuple[str, int]], cuts: list[int], rate_hz: int) -> None:
    make = {
        "silence": lambda ms: silence(ms, rate_hz),
        "tone": lambda ms: tone(ms, rate_hz),
        "hiss": lambda ms: noise(ms, rate_hz, rms_dbfs=-51),
        "soft": lambda ms: tone(ms, rate_hz, hz=200, level=0.006),
    }
    pcm = joined(np.zeros(0, np.int16), *(make[kind](ms) for kind, ms in parts))
    whole = first_audible_sample(pcm, rate_hz)
    assert in_chunks(pcm, rate_hz, [cut for cut in cuts if cut <= len(pcm)]) == whole
    assert in_chunks(pcm, rate_hz, list(range(len(pcm)))[:: rate_hz // 3000]) == whole


@pytest.mark.parametrize("rate_hz", [8_000, 24_000])
@pytest.mark.parametrize("offset", [0.003, 0.02, -0.1])
def test_a_dc_offset_is_no_reply(rate_hz: int, offset: float) -> None:
    shift = round(offset * 32767)
    for voice in (tone(400, rate_hz, level=0.1), tone(400, rate_hz, hz=150), noise(400, rate_hz, rms_dbfs=-25)):
        pcm = (joined(silence(123.4, rate_hz), voice) + np.int16(shift)).astype(np.int16)
        onset = first_audible_sample(pcm, rate_hz)
        assert onset is not None
        assert onset * 1000 / rate_hz == pytest.approx(123.4, abs=2)
        stepped = joined(silence(60, rate_hz), pcm)  # the offset begins with a step of its own
        onset = first_audible_sample(stepped, rate_hz)
        assert onset is not None
        assert onset * 1000 / rate_hz == pytest.approx(183.4, abs=2)
    assert first_audible_sample((silence(500, rate_hz) + np.int16(shift)).astype(np.int16), rate_hz) is None


@pytest.mark.parametrize("hz", [50.0, 60.0])
def test_soft_hum_is_no_reply(hz: float) -> None:
    hum = tone(800, hz=hz, level=0.01)  # -43 dBFS
    assert first_audible_sample(hum, 24_000) is None
    voice = joined(silence(320), tone(480, level=0.3))
    onset = first_audible_sample(hum + voice, 24_000)
    assert onset is not None
    assert onset / 24 == pytest.approx(320, abs=10)
