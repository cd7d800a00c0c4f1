"""A condition: all that happens to a caller's voice, in the order in which it happens.

In: a mapping of a scenario, such as `{noise: {kind: babble, snr: 10dB}, codec: gsm}`. Out: a block that changes a
sound. The order is that of the world (mouth, room, microphone, line), not that of the keys.
Trap: each kind draws from random numbers of its own, so that a second kind does not change the first, and two ratios
of the same noise differ in level alone.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from typing import Any, get_args

import numpy as np
from pydantic import Field, GetJsonSchemaHandler, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from bench.audio.conditions.band import Band
from bench.audio.conditions.clip import Clip
from bench.audio.conditions.codec import Codec
from bench.audio.conditions.gain import Gain
from bench.audio.conditions.kind import ConditionKind
from bench.audio.conditions.network import Network
from bench.audio.conditions.noise import Noise
from bench.audio.conditions.reverb import Reverb
from bench.audio.conditions.sound import Sound
from bench.audio.conditions.speed import Speed
from bench.config.block import Block


class Condition(Block):
    """What happens to the voice; an empty one changes nothing."""

    speed: Speed | None = Field(default=None, description="Faster or slower, pitch and all.", examples=[1.1])
    reverb: Reverb | None = Field(default=None, description="A room.", examples=["400ms"])
    noise: Noise | None = Field(default=None, description="Noise.", examples=[{"kind": "babble", "snr": "10dB"}])
    gain: Gain | None = Field(default=None, description="Louder or softer.", examples=["-12dB"])
    clip: Clip | None = Field(default=None, description="Peaks cut off.", examples=["12dB"])
    band: Band | None = Field(default=None, description="Only some frequencies.", examples=["telephone"])
    codec: Codec | None = Field(default=None, description="A codec before the line.", examples=["gsm"])
    network: Network | None = Field(
        default=None, description="Packets lost and late.", examples=["3%", {"loss": "3%", "burst": 4}]
    )

    @model_validator(mode="before")
    @classmethod
    def _short_forms(cls, data: Any) -> Any:
        """`gain: -6dB` for `gain: {by: -6dB}`."""
        if not isinstance(data, Mapping):
            return data
        known = {name: _kind_of(field.annotation) for name, field in cls.model_fields.items()}
        return {
            key: {known[key].SHORT: value}
            if key in known and value is not None and not isinstance(value, Mapping | Block)
            else value
            for key, value in data.items()
        }

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """For editors: the short forms are allowed as well as the mappings."""
        made = handler(schema)
        for name, field in handler.resolve_ref_schema(made)["properties"].items():
            if name != "noise":
                field["anyOf"] = [*field["anyOf"], {"type": "string", "minLength": 1}, {"type": "number"}]
        return made

    @property
    def kinds(self) -> Iterator[tuple[str, ConditionKind]]:
        """What is given, in the order in which it happens."""
        for name in type(self).model_fields:
            kind = getattr(self, name)
            if kind is not None:
                yield name, kind

    @property
    def label(self) -> str:
        """A few words for tables: `babble 10dB + gsm`; `clean` when nothing happens."""
        return " + ".join(kind.label for _, kind in self.kinds) or "clean"

    def apply(self, sound: Sound, seed: str) -> Sound:
        """The sound as it reaches the line; the same for the same `seed`."""
        for name, kind in self.kinds:
            sound = kind.apply(sound, random_of(f"{seed}:{name}"))
        return sound


def random_of(seed: str) -> np.random.Generator:
    """Random numbers that depend on the text alone, on any machine."""
    return np.random.default_rng(random.Random(seed).getrandbits(64))


def _kind_of(annotation: Any) -> type[ConditionKind]:
    kind: type[ConditionKind] = next(each for each in get_args(annotation) if each is not type(None))
    return kind


CLEAN = Condition()
"""Nothing happens to the voice."""
