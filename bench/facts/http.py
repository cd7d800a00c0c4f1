"""One request over HTTP and its answer, as values: what a dialect asks for, a transport sends.

Trap: addresses, headers and bodies may hold keys, so none of them is printed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """What is sent; `url` is `http://` or `https://`."""

    method: str
    url: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """What came back; names of headers are in lower case."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    at_ns: int
    """Arrival of its last byte at this machine, monotonic ns."""
