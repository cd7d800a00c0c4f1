"""What keeping secrets out of a call's texts costs: CPU time per message, with and without a key to hide, in pairs.

    python -m tests.perf.redactor [--messages N] [--pairs N]

The messages are deltas of a reply: audio of 4,800 and of 100,000 bytes, and words. Each is parsed, attributed and
listened to as in a call. Out: microseconds of CPU per message, and what cleaning adds.
"""

from __future__ import annotations

import argparse
import base64
import json
import statistics
import time

from bench.config.redactor import Redactor
from bench.dialects.openai import OpenAIDialect
from bench.dialects.session_config import SessionConfig
from bench.facts.connection import Connection
from bench.facts.timeline import Labels, Timeline
from bench.session.intake import Intake
from bench.session.listener import Listener
from bench.session.scrub import Scrubber
from bench.session.tracker import Bounds, Tracker

KEY = "sk-proj-" + "a1B2c3D4" * 20
NAMES = {"response_id": "resp_DNoT8X5pTzqVn4UhgKq2b", "item_id": "item_DNoT8W7dZ1UJtXl3jhC9r"}
AUDIO = "response.output_audio.delta"
WORDS = "response.output_audio_transcript.delta"


def message(kind: str, delta: str) -> str:
    return json.dumps({"type": kind, **NAMES, "delta": delta})


MESSAGES = {
    "audio of 4.8 kB": message(AUDIO, base64.b64encode(bytes(4_800)).decode()),
    "audio of 100 kB": message(AUDIO, base64.b64encode(bytes(100_000)).decode()),
    "words": message(WORDS, " your balance is"),
}


class Untouched(Scrubber):
    """Lets everything pass."""

    def fact(self, fact):  # type: ignore[no-untyped-def]
        return fact

    def kept(self, raw: object) -> None: ...


def measured_us(text: str, messages: int, *, cleaned: bool) -> float:
    timeline = Timeline(
        Labels("r", "w", "s", 0, 0, "n", "p", None, "openai", "ws"), Connection(0), 24_000, True, 1, True
    )
    dialect = OpenAIDialect(SessionConfig())
    bound_ns = 10**12
    tracker = Tracker(timeline, Bounds(*[bound_ns] * 5), refuses_turn=dialect.refuses_turn)
    scrubber = (Scrubber if cleaned else Untouched)(Redactor([KEY, "user:password"]), timeline)
    intake = Intake(timeline, dialect, tracker, Listener(dialect, jitter_buffer_ms=60), scrubber)
    began_s = time.process_time()
    for at_ns in range(messages):
        intake.take(dialect.receive(text, at_ns), at_ns)
    return (time.process_time() - began_s) / messages * 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=5_000)
    parser.add_argument("--pairs", type=int, default=7)
    options = parser.parse_args()
    for name, text in MESSAGES.items():
        took: dict[bool, list[float]] = {False: [], True: []}
        for pair in range(options.pairs):
            for cleaned in (True, False) if pair % 2 else (False, True):
                took[cleaned].append(measured_us(text, options.messages, cleaned=cleaned))
        plain, clean = statistics.median(took[False]), statistics.median(took[True])
        print(f"{name:16}  without {plain:7.2f} us   with {clean:7.2f} us   +{clean - plain:.2f} us", flush=True)


if __name__ == "__main__":
    main()
