"""What a person said becomes a recording whose end of speech is found as in a catalogue."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from bench.audio.catalogue import load_catalogue, shipped_catalogue
from bench.errors import BenchError
from bench.live.spoken import LEAD_MS, RATE_HZ, TAIL_MS, spoken


def test_speech_is_cut_out_and_its_end_is_that_of_the_recording(tmp_path: Path) -> None:
    known = load_catalogue(shipped_catalogue()).get("balance-rms")
    pcm = known.load_pcm(RATE_HZ)
    silence = np.zeros(RATE_HZ, np.int16)
    found = spoken(np.concatenate((silence, silence, pcm)).tobytes(), "you-1", tmp_path).fixture
    length = found.speech_end_ms - found.speech_start_ms
    assert length == pytest.approx(known.speech_end_ms - known.speech_start_ms, abs=5)
    assert found.speech_start_ms == pytest.approx(LEAD_MS, abs=1)
    assert found.duration_ms == pytest.approx(found.speech_end_ms + TAIL_MS, abs=1)
    assert len(found.load_pcm(RATE_HZ)) == pytest.approx(found.duration_ms * RATE_HZ / 1000, abs=1)


def test_how_sharp_the_end_is_is_said_whether_it_is_or_not(tmp_path: Path) -> None:
    pcm = load_catalogue(shipped_catalogue()).get("order-status-awb").load_pcm(RATE_HZ)
    soft = load_catalogue(shipped_catalogue()).get("balance-slt").load_pcm(RATE_HZ)
    assert spoken(pcm.tobytes(), "you-1", tmp_path).sharpness == "The end of your speech is sharp to 30 ms."
    said = spoken(soft.tobytes(), "you-2", tmp_path).sharpness
    assert re.fullmatch(
        r".* not sharp: latencies of this turn may be up to \d+ ms too long or \d+ ms too short\.", said
    )


def test_a_cut_end_is_told_and_followed_by_silence(tmp_path: Path) -> None:
    known = load_catalogue(shipped_catalogue()).get("balance-rms")
    pcm = known.load_pcm(RATE_HZ)[: round(known.speech_end_ms * RATE_HZ / 1000) - RATE_HZ // 4]
    found = spoken(pcm.tobytes(), "you-1", tmp_path)
    assert any("when the microphone was closed" in doubt for doubt in found.doubts)
    assert found.fixture.duration_ms >= found.fixture.speech_end_ms + TAIL_MS - 1


@pytest.mark.parametrize(
    ("body", "said"),
    [(b"", "no audio"), (b"abc", "no audio"), (bytes(96_000), "no speech"), (bytes(2 * RATE_HZ * 31), "longer than")],
)
def test_what_is_no_speech_is_refused_with_what_to_do(body: bytes, said: str, tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=said) as error:
        spoken(body, "you-1", tmp_path)
    assert error.value.hint


def test_no_doubt_about_a_live_voice_speaks_of_a_file_or_a_text(tmp_path: Path) -> None:
    known = load_catalogue(shipped_catalogue()).get("balance-rms")
    pcm = known.load_pcm(RATE_HZ)
    first, last = (round(at_ms * RATE_HZ / 1000) for at_ms in (known.speech_start_ms, known.speech_end_ms))
    noise = np.random.default_rng(1).normal(0, 300, len(pcm)).astype(np.int16)
    whole = (pcm, pcm + noise, np.clip(pcm * 12, -3e4, 3e4))
    for number, heard in enumerate((*whole, pcm[first : last - 6000], pcm[first : last + 480], pcm[first + 4800 :])):
        doubts = spoken(heard.astype(np.int16).tobytes(), f"you-{number}", tmp_path).doubts
        assert bool(doubts) == bool(number), "the first is whole, clear and not clipped"
        said = " ".join(doubts)
        assert not [word for word in ("file", "the text", "recording") if word in said], said
