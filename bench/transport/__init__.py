"""Transports, by URL scheme. A new one is a new file and one line in `_SHIPPED`, or a call of `register`."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from bench.errors import BenchError

if TYPE_CHECKING:
    from bench.transport.channel import Transport

_SHIPPED = {
    "ws": "bench.transport.websocket:WEBSOCKET",
    "wss": "bench.transport.websocket:WEBSOCKET",
    "http": "bench.transport.upload:UPLOAD",
    "https": "bench.transport.upload:UPLOAD",
}
_known: dict[str, Transport] = {}


def register(scheme: str, transport: Transport) -> None:
    """Use `transport` for URLs of `scheme`. Raises `ValueError` for a scheme that another transport has."""
    if scheme in _SHIPPED or _known.get(scheme, transport) is not transport:
        raise ValueError(f"the scheme {scheme!r} has a transport already")
    _known[scheme] = transport


def schemes() -> tuple[str, ...]:
    """Every URL scheme that can be called."""
    return tuple(dict.fromkeys([*_SHIPPED, *_known]))


def transport_for(url: str) -> Transport:
    """The transport of the scheme of `url`. Raises `BenchError` for an unknown one, without repeating the URL."""
    scheme = url.partition(":")[0].lower()
    if scheme not in _known:
        if scheme not in _SHIPPED:
            raise BenchError(f"no transport for {scheme!r} addresses", hint=f"allowed: {', '.join(schemes())}")
        module, _, attribute = _SHIPPED[scheme].partition(":")
        _known[scheme] = getattr(import_module(module), attribute)
    return _known[scheme]
