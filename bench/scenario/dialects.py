"""What a scenario must know of each wire protocol before a run: its name and the voices it lists.

This is the one place where dialect names are spelled for scenarios; the protocols themselves are in `bench.dialects`.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, get_args

DialectName = Literal["openai"]
DIALECTS: tuple[str, ...] = get_args(DialectName)

VOICES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"openai": ("alloy", "ash", "ballad", "coral", "echo", "sage", "shimmer", "verse", "marin", "cedar")}
)
"""Voices that may be named as a plain word; others are written `{name: ...}` or `{id: ...}`."""
