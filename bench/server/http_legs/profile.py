"""What the simulated HTTP services do: the block `legs` of a profile. Delays are drawn, faults are chosen by number.

In: YAML. Out: a frozen `LegsProfile`. Trap: every delay counts from the last byte of the request, so that it is what a
client waits that has sent everything.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import Literal

from pydantic import Field

from bench.config.block import Block, Complaint, DurationMs, LongerMs
from bench.config.distributions import DelayField, constant

Leg = Literal["stt", "llm", "tts"]
STATUSES = (500, 400, 401, 403, 404, 429, 503)
_TAKES: dict[str, tuple[str, ...]] = {
    "status": ("status", "retry_after"),
    "no_answer": (),
    "stall": ("after", "delay"),
    "cut": ("after",),
    "garbage": (),
    "missing_usage": (),
}


class LegFault(Block):
    """One fault; it applies where both of `rate` and `at_request` that are given agree."""

    leg: Leg = Field(description="Which service.")
    kind: Literal["status", "no_answer", "stall", "cut", "garbage", "missing_usage"] = Field(
        description="What goes wrong."
    )
    rate: float | None = Field(default=None, description="Share of the requests.", ge=0, le=1)
    at_request: int | None = Field(default=None, description="The request of that service, counted from 0.", ge=0)
    status: int | None = Field(default=None, description="Of the HTTP answer; default: 500.", examples=[429])
    retry_after: LongerMs | None = Field(default=None, description="What a 429 or 503 asks to wait.")
    after: DurationMs | None = Field(default=None, description="How long after the first piece; default: 0.")
    delay: DurationMs | None = Field(default=None, description="Length of a stall; default: for ever.")

    def complaints(self) -> Iterator[Complaint]:
        if self.rate is None and self.at_request is None:
            yield Complaint(("kind",), "nothing says when; allowed: rate or at_request beside it")
        if self.kind in {"garbage", "missing_usage"} and self.leg == "tts":
            yield Complaint(("kind",), f"found '{self.kind}' of tts, which sends only sound; allowed: of stt or llm")
        for key in ("status", "retry_after", "after", "delay"):
            if getattr(self, key) is not None and key not in _TAKES[self.kind]:
                allowed = ", ".join(_TAKES[self.kind]) or "none"
                yield Complaint((key,), f"found with '{self.kind}', which does not take it; allowed: {allowed}")
        if self.status is not None and self.status not in STATUSES:
            listed = ", ".join(str(each) for each in sorted(STATUSES))
            yield Complaint(("status",), f"found {self.status}; allowed: {listed}")


class SttProfile(Block):
    """`POST /v1/audio/transcriptions`."""

    delay: DelayField = Field(default=constant(120), description="To the words.")


class LlmProfile(Block):
    """`POST /v1/chat/completions`."""

    first_token: DelayField = Field(default=constant(180), description="To the first word.")
    token_gap: DelayField = Field(default=constant(10), description="From word to word.")


class TtsProfile(Block):
    """`POST /v1/audio/speech`."""

    first_byte: DelayField = Field(default=constant(90), description="To the first byte of sound.")
    word: LongerMs = Field(default=320, description="Length of each word's sound.")
    leading_silence: DurationMs = Field(default=0, description="Silence at the start of the sound.")
    chunk: LongerMs = Field(default=100, description="Sound that is sent at a time.")
    delivery_speed: float = Field(default=4.0, description="Sound sent, times real time.", gt=0, le=1000)


class LegsProfile(Block):
    """The three services of a cascade."""

    stt: SttProfile = Field(default=SttProfile(), description="Speech to text.")
    llm: LlmProfile = Field(default=LlmProfile(), description="Chat.")
    tts: TtsProfile = Field(default=TtsProfile(), description="Text to speech.")
    faults: tuple[LegFault, ...] = Field(default=(), description="What goes wrong, and when.")


def fault_of(faults: Sequence[LegFault], leg: Leg, seed: int, number: int) -> LegFault | None:
    """The first fault that applies to request `number` of `leg`; its choice depends on nothing else."""
    for place, fault in enumerate(faults):
        if fault.leg != leg or fault.at_request not in {None, number}:
            continue
        if fault.rate is None or random.Random(f"{seed}/{leg}/{number}/fault/{place}").random() < fault.rate:
            return fault
    return None
