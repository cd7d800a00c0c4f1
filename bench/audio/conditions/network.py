"""A network that loses and delays packets, in bursts: the Gilbert-Elliott model.

Packets pass through a chain of two states. In the good one packets arrive; in the burst each is lost with
`loss_in_burst`, and the others are late by a delay drawn from an exponential distribution with mean `jitter`. One that
is later than `jitter_buffer` is as good as lost. What is lost is concealed.
Sources: E. N. Gilbert, Bell System Technical Journal 39 (1960), p. 1253; E. O. Elliott, ibid. 42 (1963), p. 1977.
Trap: this is the caller's own leg. The connection to the endpoint is TCP and loses nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from bench.audio.conditions.kind import ConditionKind
from bench.audio.conditions.sound import Sound
from bench.audio.conditions.units import Share, show_share
from bench.config.block import Complaint, DurationMs, LongerMs
from bench.config.units import format_duration

MOST_REPEATS = 3
"""Packets after which a concealed gap is silence; each repetition is half as loud as the one before."""


class Network(ConditionKind):
    """Packets are lost and late."""

    SHORT: ClassVar[str] = "loss"

    loss: Share = Field(
        default=0.0,
        description="Share of packets that are lost, by loss alone.",
        examples=["3%"],
        json_schema_extra={"default": "0%"},
    )
    burst: Annotated[float, Field(ge=1, le=1000)] = Field(
        default=1.0, description="Mean length of a burst, in packets; 1: nearly every loss is alone.", examples=[4]
    )
    loss_in_burst: Share = Field(
        default=1.0,
        description="Share of packets lost within a burst.",
        examples=["50%"],
        json_schema_extra={"default": "100%"},
    )
    jitter_ms: DurationMs = Field(
        default=0, alias="jitter", description="Mean extra delay of a packet within a burst.", examples=["40ms"]
    )
    jitter_buffer_ms: DurationMs = Field(
        default=60,
        alias="jitter_buffer",
        description="A packet that is later than this is concealed like a lost one.",
        examples=["60ms"],
    )
    packet_ms: LongerMs = Field(default=20, alias="packet", description="Audio in a packet.", examples=["20ms"])
    conceal: Literal["repeat", "silence"] = Field(
        default="repeat", description="repeat: the packet before, softer each time; silence: nothing."
    )

    def complaints(self) -> Iterator[Complaint]:
        if self.loss >= self.loss_in_burst and self.loss:
            yield Complaint(
                ("loss",),
                f"found {show_share(self.loss)}, which bursts that lose {show_share(self.loss_in_burst)} cannot give; "
                "allowed: less than loss_in_burst",
            )
        if not self.loss:
            yield Complaint(("loss",), "found 0%: the share of bursts follows from it; allowed: more than 0%")

    def lost(self, packets: int, random: np.random.Generator) -> NDArray[np.bool_]:
        """Which of so many packets are lost or too late."""
        # The stationary share of the burst state is enter / (enter + leave).
        share, leave = self.loss / self.loss_in_burst, 1 / self.burst
        enter = min(1.0, leave * share / (1 - share))
        draws = random.random((packets, 3))
        found = np.zeros(packets, dtype=np.bool_)
        burst = bool(random.random() < share)
        for packet in range(packets):
            if burst:
                delay_ms = -self.jitter_ms * float(np.log1p(-draws[packet, 2]))
                found[packet] = draws[packet, 1] < self.loss_in_burst or delay_ms > self.jitter_buffer_ms
            burst = bool(draws[packet, 0] >= leave) if burst else bool(draws[packet, 0] < enter)
        return found

    def apply(self, sound: Sound, random: np.random.Generator) -> Sound:
        size = max(1, round(self.packet_ms * sound.rate_hz / 1000))
        made = sound.samples.copy()
        repeated = 0
        for packet, is_lost in enumerate(self.lost(-(-len(made) // size), random)):
            repeated = repeated + 1 if is_lost else 0
            if not is_lost:
                continue
            here = slice(packet * size, min((packet + 1) * size, len(made)))
            before = made[max(0, (packet - 1) * size) : packet * size]
            if self.conceal == "silence" or repeated > MOST_REPEATS or len(before) < size:
                made[here] = 0.0
            else:
                made[here] = 0.5 * before[: here.stop - here.start]
        return sound.with_samples(made)

    @property
    def label(self) -> str:
        late = f" jitter {format_duration(self.jitter_ms)}" if self.jitter_ms else ""
        burst = f" in bursts of {self.burst:g}" if self.burst > 1 else ""
        return f"loss {show_share(self.loss)}{burst}{late}"
