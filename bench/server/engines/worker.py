"""A worker process: recognises and speaks for the server, one piece of work at a time.

In, on standard input: `open`, `feed`, `end`, `drop` of utterances, `say`. Out, on standard output: `ready`, `heard`,
`said`. Between two pieces of work everything that has arrived is read, and the most urgent is done next: speech
first (a caller waits for it), then utterances that have ended, then those still being spoken.
Trap: the end of standard input is the end of the server, however it ended; the worker must then leave at once.
"""

from __future__ import annotations

import os
import select
import signal
import sys
from collections import deque
from typing import Any

import numpy as np

from bench.audio.formats import AudioFormat, resample
from bench.server.engines.frames import FrameReader, pack
from bench.server.engines.recogniser import Recogniser, Utterance
from bench.server.engines.speech import synthesiser

SLICE_MS = 120  # of audio decoded before the next look at what has arrived: about 15 ms of work
NICE = 8  # the socket loop and a load generator on the same machine go first
READ_BYTES = 1 << 18


class Worker:
    """The state of this process between two pieces of work."""

    def __init__(self, decoders: int) -> None:
        self._recogniser = Recogniser(decoders)
        self._utterances: dict[str, Utterance] = {}  # in order of opening
        self._slice_bytes: dict[str, int] = {}
        self._sentences: deque[dict[str, Any]] = deque()
        self._reader = FrameReader()

    def run(self) -> None:
        """Work until standard input ends."""
        self._recogniser.grow()
        synthesiser().say("Ready.", voice="marin", speed=1.0)
        self._send({"op": "ready"})
        while True:
            if not self._read(wait=not self._has_work()):
                return
            if self._sentences:
                self._say(self._sentences.popleft())
            elif not self._recognise() and self._recogniser.may_grow:
                self._recogniser.grow()

    def _has_work(self) -> bool:
        return bool(self._sentences) or self._recogniser.may_grow or self._ready() is not None

    def _read(self, *, wait: bool) -> bool:
        """Take in whatever has arrived; False at the end of input."""
        while select.select([0], [], [], None if wait else 0)[0]:
            data = os.read(0, READ_BYTES)
            if not data:
                return False
            for head, body in self._reader.feed(data):
                self._accept(head, body)
            wait = False
        return True

    def _accept(self, head: dict[str, Any], body: bytes) -> None:
        operation, take = head["op"], head["id"]
        if operation == "say":
            self._sentences.append(head)
        elif operation == "open":
            self._utterances[take] = Utterance(head["rate_hz"])
            self._slice_bytes[take] = head["rate_hz"] * 2 * SLICE_MS // 1000
        elif operation == "drop":
            self._drop(take)
        elif take in self._utterances:
            utterance = self._utterances[take]
            utterance.waiting += body
            utterance.ended = utterance.ended or operation == "end"

    def _drop(self, take: str) -> None:
        utterance = self._utterances.pop(take, None)
        self._slice_bytes.pop(take, None)
        self._sentences = deque(head for head in self._sentences if head["id"] != take)
        if utterance is not None and utterance.has_decoder:
            self._recogniser.release(utterance.abandon())

    def _ready(self) -> str | None:
        """The utterance to work on: one that ended before one that goes on, the older first."""
        best: str | None = None
        free = self._recogniser.has_free
        for take, utterance in self._utterances.items():
            if not (utterance.has_decoder or free):
                continue
            if utterance.ended:
                return take
            if best is None and len(utterance.waiting) >= self._slice_bytes[take]:
                best = take
        return best

    def _recognise(self) -> bool:
        """One slice of work on an utterance; False when there is none to do."""
        take = self._ready()
        if take is None:
            return False
        utterance = self._utterances[take]
        if not utterance.has_decoder:
            utterance.begin(self._recogniser.claim())
        if not utterance.ended or len(utterance.waiting) > self._slice_bytes[take]:
            utterance.decode(self._slice_bytes[take])
            return True
        text, decoder = utterance.finish()
        self._recogniser.release(decoder)
        del self._utterances[take], self._slice_bytes[take]
        self._send({"op": "heard", "id": take, "text": text})
        return True

    def _say(self, head: dict[str, Any]) -> None:
        wanted = AudioFormat.usual(head["format"])
        engine = synthesiser()
        samples = engine.say(head["text"], voice=head["voice"], speed=head["speed"])
        pause = np.zeros(engine.rate_hz * head["pause_ms"] // 1000, dtype=np.int16)
        samples = resample(np.concatenate((samples, pause)), engine.rate_hz, wanted.rate_hz)
        self._send({"op": "said", "id": head["id"], "index": head["index"]}, wanted.encode(samples))

    def _send(self, head: dict[str, Any], body: bytes = b"") -> None:
        sys.stdout.buffer.write(pack(head, body))
        sys.stdout.buffer.flush()


def main() -> None:
    """`python -m bench.server.engines.worker DECODERS`."""
    # Ctrl-C goes to the whole process group; the server decides when its workers end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(NICE)
    try:
        Worker(int(sys.argv[1])).run()
    except BrokenPipeError:  # the server is gone: nobody is left to be told
        os._exit(0)


if __name__ == "__main__":
    main()
