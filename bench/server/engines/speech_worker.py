"""A worker process: recognises and speaks for the server, one piece of work at a time.

In, on standard input: calls of `SpeechWorker`'s methods. Out, on standard output: what they return, in the same order.
The server sends the next call when it has the answer, so the most urgent work is always done next.
Trap: the end of standard input is the end of the server, however it ended; the worker then leaves at once.
"""

from __future__ import annotations

import os
import pickle
import signal
import struct
import sys
from typing import Any

import numpy as np

from bench.audio.formats import AudioFormat, resample
from bench.server.engines.decoder import UtteranceDecoder, load_decoder
from bench.server.engines.synthesiser import Synthesiser

NICE = 8  # the socket loop and a load generator on the same machine go first
LENGTH = struct.Struct("<I")


def packed(value: Any) -> bytes:
    """A call or an answer with its length in front."""
    data = pickle.dumps(value)
    return LENGTH.pack(len(data)) + data


class SpeechWorker:
    """The decoders and the voice of this process; a decoder hears one utterance at a time."""

    def __init__(self) -> None:
        self._free: list[Any] = []
        self._utterances: dict[int, UtteranceDecoder] = {}
        self._synthesiser = Synthesiser()

    def load(self) -> None:
        """Load one more decoder (about 0.4 s)."""
        self._free.append(load_decoder())

    def hear(self, utterance: int, rate_hz: int, pcm: bytes) -> None:
        """More of an utterance; its first piece takes a free decoder."""
        if utterance not in self._utterances:
            self._utterances[utterance] = UtteranceDecoder(self._free.pop(), rate_hz)
        self._utterances[utterance].feed(pcm)

    def finish(self, utterance: int) -> str:
        """The words of an utterance."""
        known = self._utterances.pop(utterance)
        self._free.append(known.decoder)
        return known.finish()

    def say(self, text: str, pause_ms: int, voice: str, speed: float, audio_format: AudioFormat) -> bytes:
        """A spoken sentence and the pause behind it."""
        rate_hz = self._synthesiser.rate_hz
        samples = self._synthesiser.say(text, voice=voice, speed=speed)
        pause = np.zeros(rate_hz * pause_ms // 1000, dtype=np.int16)
        return audio_format.encode(resample(np.concatenate((samples, pause)), rate_hz, audio_format.rate_hz))


def main() -> None:
    """`python -m bench.server.engines.speech_worker`."""
    # Ctrl-C goes to the whole process group; the server decides when its workers end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(NICE)
    worker = SpeechWorker()
    while head := sys.stdin.buffer.read(LENGTH.size):
        name, arguments = pickle.loads(sys.stdin.buffer.read(*LENGTH.unpack(head)))
        answer = packed(getattr(worker, name)(*arguments))
        try:
            sys.stdout.buffer.write(answer)
            sys.stdout.buffer.flush()
        except BrokenPipeError:  # the server is gone
            os._exit(0)


if __name__ == "__main__":
    main()
