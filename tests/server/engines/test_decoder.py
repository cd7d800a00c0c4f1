"""Recognition alone, with what a server hears of a call: audio cut by its own turn detection, in small pieces.

Each property is also shown to fail the wrong way: without the second pass, and with a decoder that is not reset.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from bench.audio.formats import AudioFormat
from bench.server.engines import decoder as decoders
from bench.server.engines.decoder import DECODER_SETTINGS, UtteranceDecoder, load_decoder
from bench.server.protocol import config
from bench.server.protocol.input_audio import CommittedAudio, InputAudio, SpeechAudio
from tests.server.support import silence, speech

SLICE_BYTES = 5760  # 120 ms of 24 kHz PCM16
NEEDS_SECOND_PASS = "order-status-awb"


def heard_live(fixture: str) -> bytes:
    """What the turn detection hands over of a call in which `fixture` is spoken: exactly one turn."""
    pcm = np.concatenate((silence(600), speech(fixture), silence(900)))
    pieces = [pcm[start : start + 960].tobytes() for start in range(0, len(pcm), 960)]
    buffer = InputAudio(AudioFormat.PCM16, dict(config.SERVER_VAD))
    outcomes = [outcome for frame in pieces for outcome in buffer.append(frame)]
    assert sum(isinstance(outcome, CommittedAudio) for outcome in outcomes) == 1
    return b"".join(outcome.pcm for outcome in outcomes if isinstance(outcome, SpeechAudio))


def decoder_with(**settings: Any) -> Any:
    from pocketsphinx import Decoder

    return Decoder(**{**DECODER_SETTINGS, **settings})


def words(decoder: Any, pcm: bytes) -> set[str]:
    utterance = UtteranceDecoder(decoder, AudioFormat.PCM16.rate_hz)
    for start in range(0, len(pcm), SLICE_BYTES):
        utterance.feed(pcm[start : start + SLICE_BYTES])
    return set(utterance.finish().split())


def channel_estimate(decoder: Any, pcm: bytes) -> NDArray[np.float64]:
    """The mean cepstra of an utterance as the decoder saw it: they follow its estimate of the noise."""
    words(decoder, pcm)
    return np.array([float(value) for value in decoder.get_cmn(True).split(",")])


def test_an_utterance_that_the_first_pass_loses_is_understood_live() -> None:
    pcm = heard_live(NEEDS_SECOND_PASS)
    wanted = {"where", "order", "should", "have", "arrived", "yesterday"}
    assert wanted <= words(load_decoder(), pcm)
    assert not {"arrived", "yesterday"} & words(decoder_with(fwdflat=False), pcm)


def test_the_turn_detection_takes_nothing_from_the_speech() -> None:
    whole = speech(NEEDS_SECOND_PASS)
    lead_in = np.flatnonzero(np.abs(whole) > 300)[0]
    assert whole[lead_in : -len(whole) // 10].tobytes() in heard_live(NEEDS_SECOND_PASS)


class NeverReset:
    """A decoder whose estimate of the noise lives on, as `set_cmn` and `start_utt` leave it."""

    def __init__(self, decoder: Any) -> None:
        self._decoder = decoder

    def reinit_feat(self) -> None:
        """Leaves everything as it is."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._decoder, name)


@pytest.mark.parametrize("noise_level", [300, 1500])
def test_what_is_heard_does_not_depend_on_who_was_heard_before(noise_level: int) -> None:
    pcm = speech("yes-rms").tobytes()
    noise = np.random.default_rng(7).normal(0, noise_level, 24_000).astype(np.int16).tobytes()
    decoder = decoder_with()
    alone = channel_estimate(decoder, pcm)
    words(decoder, noise)
    assert channel_estimate(decoder, pcm) == pytest.approx(alone, abs=1e-9)
    words(decoder, noise)
    assert np.abs(channel_estimate(NeverReset(decoder), pcm) - alone).max() > 0.05


def test_the_channel_estimate_begins_anew_for_each_band() -> None:
    decoder = decoder_with()
    for rate_hz, expected in ((24_000, decoders.WIDE_BAND_MEAN), (8_000, decoders.NARROW_BAND_MEAN)):
        utterance = UtteranceDecoder(decoder, rate_hz)
        estimate = [float(value) for value in decoder.get_cmn().split(",")]
        assert estimate == pytest.approx([float(value) for value in expected.split(",")], rel=1e-5)
        utterance.finish()
