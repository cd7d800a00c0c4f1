"""Wire protocols, one file each, sans-I/O. A new one is a new file and one line in `DIALECTS`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from bench.errors import BenchError

if TYPE_CHECKING:
    from bench.dialects.base import Dialect, Endpoint
    from bench.scenario.model import SessionConfig, Target

DIALECTS = ("openai",)


def make_dialect(name: str, config: SessionConfig, model: str | None) -> Dialect:
    """A fresh dialect of protocol `name` for one call."""
    if name == "openai":
        from bench.dialects.openai import OpenAIDialect

        return OpenAIDialect(config, model)
    raise BenchError(f"unknown dialect {name!r}", hint=f"allowed: {', '.join(DIALECTS)}")


def endpoint_of(name: str) -> Callable[[Target, Mapping[str, str], Mapping[str, str]], Endpoint]:
    """The function that builds the address of a target under protocol `name`."""
    if name == "openai":
        from bench.dialects.openai import endpoint

        return endpoint
    raise BenchError(f"unknown dialect {name!r}", hint=f"allowed: {', '.join(DIALECTS)}")
