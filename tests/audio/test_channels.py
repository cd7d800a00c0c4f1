"""Which channel of a recording is spoken by the caller."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from bench.audio.catalogue import load_catalogue, shipped_catalogue
from bench.audio.fixtures_cli import add_recording
from bench.audio.wav import decode_audio
from bench.errors import BenchError

from .signals import noise, silence


def spoken(name: str, length: int = 90_000) -> NDArray[np.int16]:
    pcm = load_catalogue(shipped_catalogue()).get(name).load_pcm(24_000)
    return np.concatenate((pcm, np.zeros(max(0, length - len(pcm)), np.int16)))[:length]


def file(*channels: NDArray[np.int16]) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, np.stack(channels, axis=1), 24_000, format="WAV")
    return buffer.getvalue()


def test_equal_inverted_softer_and_silent_channels_are_one_utterance() -> None:
    one = spoken("balance-rms")
    quiet = noise(len(one) / 24, rms_dbfs=-80)[: len(one)]
    for channels in ((one, one), (one, -one), (one // 2, one), (silence(3750), one), (one, quiet), (one,) * 6):
        samples, _ = decode_audio(file(*channels), Path("a.wav"))
        assert np.max(np.abs(samples)) * 32768 == pytest.approx(np.max(np.abs(one.astype(int))), abs=2)


def test_agent_and_caller_are_not_mixed(tmp_path: Path) -> None:
    agent, caller = spoken("agent-awb"), np.roll(spoken("balance-rms", 120_000), 50_000)[:90_000]
    with pytest.raises(BenchError, match=r"channels differ.*left: sound from.*right: sound from") as caught:
        decode_audio(file(agent, caller), Path("a.wav"))
    assert "--channel left" in str(caught.value.hint)
    with pytest.raises(BenchError, match="channel 3: sound from"):
        decode_audio(file(agent, agent, caller), Path("a.wav"))
    for number, wanted in ((1, agent), (2, caller)):
        assert np.array_equal(decode_audio(file(agent, caller), Path("a.wav"), number)[0] * 32768, wanted)
    with pytest.raises(BenchError, match="no channel 3; it has 2"):
        decode_audio(file(agent, caller), Path("a.wav"), 3)
    call = tmp_path / "call.wav"
    call.write_bytes(file(agent, spoken("balance-rms")))
    added = add_recording(
        call, "What is the balance of my checking account?", catalogue=tmp_path / "c.yaml", channel="right"
    ).fixture
    assert added.speech_end_ms == pytest.approx(2521.2, abs=1)
    with pytest.raises(BenchError, match="allowed are left, right, or a number"):
        add_recording(call, "What?", catalogue=tmp_path / "c.yaml", id="x", channel="middle")


def test_a_catalogue_may_name_the_channel(tmp_path: Path) -> None:
    (tmp_path / "call.wav").write_bytes(file(spoken("agent-awb"), spoken("balance-rms")))
    path = tmp_path / "c.yaml"
    path.write_text("fixtures:\n- {id: a, file: call.wav, text: hi, channel: right}\n")
    fixture = load_catalogue(path).get("a")
    assert fixture.channel == 2
    assert fixture.speech_end_ms == pytest.approx(2521.2, abs=1)
    assert np.array_equal(fixture.load_pcm(24_000), spoken("balance-rms"))
    path.write_text("fixtures:\n- {id: a, file: call.wav, text: hi, channel: 0}\n")
    with pytest.raises(BenchError, match="found '0'; allowed: left, right, or a number"):
        load_catalogue(path)
