"""Where the page is served, and who may read it.

In: a host and a port as a user names them; a request's method, token, `Host` and `Origin`. Out: a listening socket and
the URL to open; or why the request is refused.
Trap: a page of another site, open in the same browser, can send requests to this machine. So every request needs the
token, and one that names another host or origin is refused.
"""

from __future__ import annotations

import hmac
import secrets
import socket
from dataclasses import dataclass, field

from bench.config.hosts import is_loopback
from bench.errors import BenchError, why

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 8089
_ANY_HOST = {"0.0.0.0", "::", "*", ""}


def new_token() -> str:
    """A token that nobody guesses."""
    return secrets.token_urlsafe(18)


@dataclass(frozen=True, slots=True)
class LiveAddress:
    """Where the page is served; port 0 takes a free one."""

    host: str = DEFAULT_HOST
    port: int = DEFAULT_PORT
    token: str = field(default_factory=new_token, repr=False)
    options: tuple[str, str] = ("--live-port", "--live-host")
    """How the command calls port and host."""

    @property
    def local(self) -> bool:
        """Whether only this machine can reach it."""
        return is_loopback(self.host)


def listen(address: LiveAddress) -> socket.socket:
    """A listening socket at `address`. Raises `BenchError` when it cannot be had."""
    host = "" if address.host == "*" else address.host
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, address.port), family=family)
    except OSError as error:
        raise BenchError(
            f"the live page cannot be served on {address.host}, port {address.port}: {why(error)}",
            hint=f"name another with {address.options[0]} (0 takes a free one); "
            f"{address.options[1]} must be an address of this machine",
        ) from error


def url_of(address: LiveAddress, port: int) -> str:
    """What to open in a browser."""
    host = address.host
    shown = "127.0.0.1" if host in _ANY_HOST else f"[{host}]" if ":" in host else host
    return f"http://{shown}:{port}/?token={address.token}"


@dataclass(frozen=True, slots=True)
class Asked:
    """What decides whether a request is answered."""

    method: str
    token: str
    host: str
    origin: str | None = None


def refusal(asked: Asked, *, token: str, local: bool) -> str | None:
    """Why a request is refused; None for one that may be answered. `local`: only this machine can reach the page."""
    if local and not is_loopback(_name(asked.host)):
        return "This page is served to this machine alone."
    if asked.origin is not None and asked.origin.partition("://")[2] != asked.host:
        return "This page answers only itself."
    if not hmac.compare_digest(asked.token.encode(), token.encode()):
        return "Open the address with its token, as the command printed it."
    return None


def _name(host: str) -> str:
    """The host of `host:port`, without the brackets of IPv6."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]
