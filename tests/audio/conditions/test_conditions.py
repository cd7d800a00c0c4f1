"""Conditions on real recordings: the ratio that was asked for, over speech; instants that stay; the same for a seed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydantic import ValidationError

from bench.audio.catalogue import Fixture, load_catalogue, shipped_catalogue
from bench.audio.conditions import CLEAN, Condition, IdleNoise, RenderedFixture, rendered
from bench.audio.conditions.condition import random_of
from bench.audio.conditions.network import Network
from bench.audio.conditions.sound import Sound, mean_power, speech_power
from bench.errors import BenchError

RATES_HZ = (8_000, 16_000, 24_000)


def fixture(name: str = "balance-rms") -> Fixture:
    return load_catalogue(shipped_catalogue()).get(name)


def condition(**keys: Any) -> Condition:
    return Condition.model_validate(keys)


def under(found: Condition, name: str = "balance-rms", seed: str = "1") -> RenderedFixture:
    return rendered(fixture(name), found, label=found.label, seed=seed)


def as_sound(each: Fixture, pcm: NDArray[Any], rate_hz: int) -> Sound:
    return Sound(pcm.astype(np.float64), rate_hz, each.speech_start_ms, each.speech_end_ms)


def ratio_db(made: NDArray[np.int16], plain: NDArray[np.int16], each: Fixture, rate_hz: int) -> float:
    """Power of the speech over that of what was added within it, by least squares where the sum was scaled to fit."""
    speech = as_sound(each, plain, rate_hz)
    a, b = made.astype(np.float64), plain.astype(np.float64)
    silent = slice(0, speech.speech.start // 2)
    assert np.any(a[silent]) or not np.any(a)
    # A sum that was louder than full scale was scaled as a whole: both powers by the same factor.
    gain = float(a[speech.speech] @ b[speech.speech] / (b[speech.speech] @ b[speech.speech]))
    added = (a - gain * b)[speech.speech]
    return 10 * float(np.log10(speech_power(speech) * gain**2 / mean_power(added)))


@pytest.mark.parametrize("rate_hz", RATES_HZ)
@pytest.mark.parametrize("kind", ["white", "pink", "babble", "hum"])
@pytest.mark.parametrize("asked", [20.0, 10.0, 0.0, -5.0])
def test_the_ratio_is_as_asked_over_the_speech(kind: str, asked: float, rate_hz: int) -> None:
    made = under(condition(noise={"kind": kind, "snr": f"{asked:g}dB"}))
    found = ratio_db(made.load_pcm(rate_hz), fixture().load_pcm(rate_hz), fixture(), rate_hz)
    assert found == pytest.approx(asked, abs=0.6 if asked <= 0 else 0.25)


def test_silence_around_the_speech_does_not_count() -> None:
    """The same words with five more seconds of silence get the same noise, not a tenth of it."""
    each, rate_hz = fixture(), 16_000
    pcm = each.load_pcm(rate_hz).astype(np.float64) / 32768
    short = Sound(pcm, rate_hz, each.speech_start_ms, each.speech_end_ms)
    long = short.with_samples(np.concatenate((pcm, np.zeros(5 * rate_hz))))
    noise = condition(noise={"kind": "white", "snr": "10dB"})
    quiet = [mean_power(noise.apply(sound, "s").samples[:1000]) for sound in (short, long)]
    assert quiet[0] == pytest.approx(quiet[1], rel=0.2)
    assert speech_power(short) > 1.5 * mean_power(long.samples), "the mean over the file would be another level"


def test_noise_from_a_file(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    soundfile.write(tmp_path / "cafe.wav", rng.standard_normal(44_100) * 0.05, 44_100)
    soundfile.write(tmp_path / "silent.wav", np.zeros(44_100), 44_100)
    made = Condition.model_validate(
        {"noise": {"kind": "file", "file": "cafe.wav", "snr": "6dB"}}, context={"base": tmp_path}
    )
    assert made.label == "cafe 6dB"
    found = ratio_db(under(made).load_pcm(24_000), fixture().load_pcm(24_000), fixture(), 24_000)
    assert found == pytest.approx(6.0, abs=0.3)
    silent = Condition.model_validate(
        {"noise": {"kind": "file", "file": "silent.wav", "snr": "6dB"}}, context={"base": tmp_path}
    )
    with pytest.raises(BenchError, match="silent where the caller speaks"):
        under(silent).load_pcm(24_000)


ALL: dict[str, Any] = {
    "speed": 1.1,
    "reverb": "300ms",
    "noise": {"kind": "babble", "snr": "10dB"},
    "gain": "-3dB",
    "clip": "6dB",
    "band": "telephone",
    "codec": "gsm",
    "network": {"loss": "5%", "burst": 3, "jitter": "30ms"},
}


@pytest.mark.parametrize("kind", ALL)
def test_the_same_for_a_seed_and_another_for_another(kind: str) -> None:
    made = condition(**{kind: ALL[kind]})
    first, again, other = (under(made, seed=seed).load_pcm(16_000) for seed in ("1", "1", "2"))
    assert np.array_equal(first, again)
    drawn = kind in {"reverb", "noise", "network"}
    assert np.array_equal(first, other) != drawn


def test_one_kind_does_not_change_what_another_draws() -> None:
    """Noise is the same with and without a gain after it, and at two ratios it differs in level alone."""
    plain = fixture().load_pcm(16_000).astype(np.float64)
    soft = [under(condition(noise={"kind": "white", "snr": snr})).load_pcm(16_000) - plain for snr in ("30dB", "20dB")]
    assert float(np.corrcoef(soft[0], soft[1])[0, 1]) > 0.999
    assert mean_power(soft[1]) / mean_power(soft[0]) == pytest.approx(10.0, rel=0.02)


def test_the_order_is_that_of_the_world() -> None:
    forwards, backwards = condition(**ALL), condition(**dict(reversed(ALL.items())))
    assert forwards.label == backwards.label
    assert np.array_equal(under(forwards).load_pcm(8_000), under(backwards).load_pcm(8_000))


def lag_samples(made: NDArray[np.int16], plain: NDArray[np.int16]) -> int:
    size = len(made) + len(plain)
    product = np.fft.rfft(made.astype(float), size) * np.conj(np.fft.rfft(plain.astype(float), size))
    best = int(np.argmax(np.fft.irfft(product, size)))
    return best if best < size // 2 else best - size


@pytest.mark.parametrize("name", ["balance-rms", "order-status-slt", "opening-hours-awb"])
@pytest.mark.parametrize(
    "keys",
    [
        {"codec": "g711_ulaw"}, {"codec": "g711_alaw"}, {"codec": "gsm"}, {"codec": "mp3"}, {"codec": "opus"},
        {"codec": {"name": "opus", "compression": 1}}, {"band": "telephone"}, {"band": {"high": "1kHz"}},
        {"reverb": {"rt60": "500ms", "direct_to_reverb": "0dB"}}, {"clip": "12dB"}, {"network": "10%"},
        {"noise": {"kind": "pink", "snr": "5dB"}},
    ],
)  # fmt: skip
def test_no_instant_moves(keys: dict[str, Any], name: str) -> None:
    """Zero of every latency stays where the recording has it, to a sixth of a millisecond."""
    made, plain = under(condition(**keys), name).load_pcm(24_000), fixture(name).load_pcm(24_000)
    assert abs(lag_samples(made, plain)) <= 4
    assert len(made) >= len(plain)


@pytest.mark.parametrize("factor", [0.8, 1.0, 1.25])
def test_speed_moves_the_marks_with_the_samples(factor: float) -> None:
    made, plain = under(condition(speed=factor)), fixture()
    assert made.speech_end_ms == pytest.approx(plain.speech_end_ms / factor)
    assert len(made.load_pcm(24_000)) == pytest.approx(len(plain.load_pcm(24_000)) / factor, abs=2)


def test_a_gain_over_full_scale_is_cut_and_not_taken_back() -> None:
    made, plain = under(condition(gain="30dB")).load_pcm(24_000), fixture().load_pcm(24_000)
    assert made.max() >= 32766
    assert made.min() <= -32767
    quiet = np.flatnonzero((np.abs(plain) > 100) & (np.abs(plain) < 900))
    assert np.allclose(made[quiet] / plain[quiet], 10**1.5, rtol=0.02)


def test_a_clean_condition_changes_nothing() -> None:
    assert CLEAN.label == "clean"
    assert np.array_equal(under(CLEAN).load_pcm(24_000), fixture().load_pcm(24_000))


@pytest.mark.parametrize(
    "keys, share, run",
    [
        ({"loss": "5%"}, 0.05, 1.0),
        ({"loss": "10%", "burst": 4}, 0.10, 4.0),
        ({"loss": "10%", "burst": 5, "loss_in_burst": "50%"}, 0.10, None),
        # A tenth of the packets is in a burst and keeps 1 - exp(-60/60) of its packets in time.
        ({"loss": "5%", "burst": 4, "loss_in_burst": "50%", "jitter": "60ms"}, 0.05 + 0.05 * np.exp(-1), None),
    ],
)
def test_losses_have_the_share_and_the_bursts_that_were_asked_for(
    keys: dict[str, Any], share: float, run: float | None
) -> None:
    lost = Network.model_validate(keys).lost(200_000, random_of("1"))
    assert float(lost.mean()) == pytest.approx(share, rel=0.06)
    if run is not None:
        begins = int(np.sum(lost[1:] & ~lost[:-1])) + int(lost[0])
        # With a burst of one packet the next one may begin another burst at once.
        assert int(lost.sum()) / begins == pytest.approx(run, rel=0.07)


@settings(max_examples=50)
@given(st.floats(0.001, 0.6), st.floats(1, 50), st.integers(0, 400))
def test_every_packet_is_lost_or_kept(loss: float, burst: float, packets: int) -> None:
    lost = Network.model_validate({"loss": f"{loss * 100:.4f}%", "burst": burst}).lost(packets, random_of("1"))
    assert len(lost) == packets


def test_a_lost_packet_is_concealed() -> None:
    silence = under(condition(network={"loss": "30%", "conceal": "silence"})).load_pcm(8_000)
    repeat = under(condition(network={"loss": "30%"})).load_pcm(8_000)
    plain = fixture().load_pcm(8_000)
    changed = [
        index for index in range(len(plain) // 160) if not np.array_equal(block(plain, index), block(repeat, index))
    ]
    assert 0.15 < len(changed) / (len(plain) // 160) < 0.45
    assert any(np.any(block(repeat, index)) for index in changed)
    assert not any(np.any(block(silence, index)) for index in changed)


def block(pcm: NDArray[np.int16], index: int) -> NDArray[np.int16]:
    return pcm[index * 160 : (index + 1) * 160]


def test_noise_between_turns_has_the_level_of_the_noise_in_them() -> None:
    made = condition(noise={"kind": "white", "snr": "10dB", "between_turns": True})
    idle = IdleNoise.of(made, (fixture(),), "1")
    assert idle is not None
    within = under(made).load_pcm(16_000)[:1000].astype(float)
    between = idle.load_pcm(16_000).astype(float)
    assert len(between) == 160_000
    assert mean_power(between) == pytest.approx(mean_power(within), rel=0.2)
    assert IdleNoise.of(condition(noise={"kind": "white", "snr": "10dB"}), (fixture(),), "1") is None
    assert IdleNoise.of(None, (fixture(),), "1") is None


@pytest.mark.parametrize(
    "keys",
    [
        {"noise": {"kind": "white"}}, {"noise": {"kind": "file", "snr": "1dB"}}, {"noise": {"kind": "x", "snr": "1dB"}},
        {"noise": {"kind": "white", "snr": 10}}, {"noise": {"kind": "white", "snr": "1dB", "file": "a.wav"}},
        {"gain": 3}, {"gain": "99dB"}, {"clip": "-3dB"}, {"band": "wide"}, {"band": {}}, {"codec": "aac"},
        {"band": {"low": "3kHz", "high": "300Hz"}}, {"speed": 3}, {"reverb": "9s"}, {"reverb": "0s"},
        {"network": "0%"}, {"network": "100%"}, {"network": {"loss": "60%", "loss_in_burst": "50%"}}, {"echo": 1},
        {"network": {"jitter": "20ms"}},
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(keys: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        condition(**keys)
