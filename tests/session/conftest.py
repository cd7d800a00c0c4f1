"""The scripted WebSocket server of the transport's tests serves these, too."""

from tests.transport.conftest import dial_in, no_proxies, ports

__all__ = ["dial_in", "no_proxies", "ports"]
