"""Speech synthesis with espeak-ng, through its C library: a sentence in, PCM16 out.

The library and its data come from the `espeakng_loader` package.
Trap: the C library keeps one global state and is not re-entrant. One `Synthesiser` per process, one call at a time.
"""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.audio.espeak import espeak

_UTF8 = 1
_RATE = 1  # espeakRATE, words per minute
_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)
WORDS_PER_MINUTE = 165
RATE_LIMITS = (80, 450)
VOICES = {
    "alloy": "en-us",
    "ash": "en-us+m1",
    "ballad": "en-gb+m3",
    "coral": "en-us+f2",
    "echo": "en-us+m2",
    "sage": "en-us+f3",
    "shimmer": "en-us+f4",
    "verse": "en-gb+m7",
    "marin": "en-us+f1",
    "cedar": "en-us+m4",
}
DEFAULT_VOICE = "en-us"


class Synthesiser:
    """The process's one espeak-ng."""

    def __init__(self) -> None:
        self._samples = bytearray()
        self._library, self.rate_hz = espeak()
        self._callback = _CALLBACK(self._take)  # kept: the library holds only a bare pointer to it

    def say(self, text: str, *, voice: str, speed: float) -> NDArray[np.int16]:
        """Samples of `text` at `rate_hz`, by a voice of `VOICES` or of espeak-ng; an unknown one is the default."""
        if self._library.espeak_SetVoiceByName(VOICES.get(voice, voice).encode()):
            self._library.espeak_SetVoiceByName(DEFAULT_VOICE.encode())
        words_per_minute = min(max(round(WORDS_PER_MINUTE * speed), RATE_LIMITS[0]), RATE_LIMITS[1])
        self._library.espeak_SetParameter(_RATE, words_per_minute, 0)
        self._library.espeak_SetSynthCallback(self._callback)  # the library has one for all who speak
        encoded = text.encode() + b"\0"
        self._samples.clear()
        failed = self._library.espeak_Synth(encoded, len(encoded), 0, 0, 0, _UTF8, None, None)
        failed = failed or self._library.espeak_Synchronize()
        if failed:
            raise RuntimeError(f"espeak-ng failed with status {failed} on {text!r}")
        return np.frombuffer(bytes(self._samples), dtype=np.int16)

    def _take(self, samples: Any, count: int, _events: Any) -> int:
        if samples and count > 0:
            self._samples += ctypes.string_at(samples, count * 2)
        return 0
