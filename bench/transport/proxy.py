"""Which proxy, if any, a target is reached through, and the CONNECT that asks it for a tunnel.

In: target and environment; out: a `Proxy` or None. The usual variables in either case: HTTPS_PROXY for wss, HTTP_PROXY
for ws (tunnelled as well), ALL_PROXY, NO_PROXY. Loopback is never reached through a proxy: it would be the proxy's own.
"""

from __future__ import annotations

import base64
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies_environment

from bench.config.hosts import is_loopback
from bench.errors import BenchError
from bench.transport.http import Head, read_head
from bench.transport.wire import Wire


@dataclass(frozen=True, slots=True)
class Proxy:
    """An HTTP proxy; `secure`: it is itself spoken to over TLS."""

    host: str
    port: int
    secure: bool
    user: str | None = None
    password: str | None = field(default=None, repr=False)


def proxy_for(host: str, port: int, *, secure: bool, environment: Mapping[str, str] | None = None) -> Proxy | None:
    """The proxy for a target, from `environment` (scheme to URL as `getproxies_environment` gives it, the default).

    Raises `BenchError` for one that cannot be used, such as SOCKS.
    """
    known = getproxies_environment() if environment is None else environment
    if is_loopback(host) or bypassed(host, port, known.get("no", "")):
        return None
    for scheme in ("wss", "https", "all") if secure else ("ws", "http", "all"):
        url = known.get(scheme)
        if url:
            return _parse(url, f"{scheme.upper()}_PROXY")
    return None


def bypassed(host: str, port: int, no_proxy: str) -> bool:
    """NO_PROXY's rule: `*`, a host or a domain suffix (leading dot or not), either with `:port`, an address, a CIDR."""
    host = host.lower().strip("[]").rstrip(".")
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        address = None
    for raw in no_proxy.lower().replace(" ", ",").split(","):
        entry = raw.strip()
        if entry == "*":
            return True
        if not entry:
            continue
        if address is not None:
            try:
                if address in ipaddress.ip_network(entry.strip("[]"), strict=False):
                    return True
            except ValueError:
                pass
        name, colon, entry_port = entry.rpartition(":")
        if colon and entry_port.isdecimal() and (":" not in name or name.startswith("[")):
            if int(entry_port) != port:
                continue
            entry = name
        entry = entry.strip("[]").removeprefix("*").lstrip(".").rstrip(".")
        if entry and (host == entry or (address is None and host.endswith("." + entry))):
            return True
    return False


def _parse(url: str, variable: str) -> Proxy:
    parts = urlsplit(url if "://" in url else f"http://{url}")
    scheme = parts.scheme.lower()
    if scheme not in ("http", "https"):
        raise BenchError(
            f"{variable}: the proxy's scheme is {scheme!r}; only http and https proxies are supported",
            hint=f"Name an HTTP proxy, or exempt the target with NO_PROXY, or unset {variable}.",
        )
    try:
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise BenchError(f"{variable}: not a proxy address: {error}", hint="Use http://host:port.") from error
    if not host:
        raise BenchError(f"{variable}: the proxy's address names no host", hint="Use http://host:port.")
    secure = scheme == "https"
    return Proxy(
        host=host,
        port=port or (443 if secure else 80),
        secure=secure,
        user=unquote(parts.username) if parts.username is not None else None,
        password=unquote(parts.password or "") if parts.username is not None else None,
    )


def open_tunnel(wire: Wire, proxy: Proxy, host: str, port: int) -> Head:
    """Ask `proxy` for a tunnel to the target; its answer, whatever that is. Raises `NotHttpError`, or `OSError`."""
    target = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    lines = [f"CONNECT {target} HTTP/1.1", f"Host: {target}"]
    if proxy.user is not None:
        credentials = base64.b64encode(f"{proxy.user}:{proxy.password or ''}".encode()).decode()
        lines.append(f"Proxy-Authorization: Basic {credentials}")
    wire.send("\r\n".join([*lines, "", ""]).encode("latin-1"))
    return read_head(wire)
