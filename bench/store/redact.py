"""Addresses and command lines with their secrets removed, for the manifest.

In: a URL or an argument list as the user typed it. Out: the same with every credential replaced.
Trap: a key can be in a URL's user part, in its query, or in `--set target.api_key=...`; references such as `env:NAME`
are not secrets and are kept.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import parse_qsl, urlsplit, urlunsplit

from bench.config.secrets import HIDDEN, is_reference, names_secret

_ASSIGNMENT = re.compile(r"^(?P<name>[^=\s]+)=(?P<value>.*)$", re.DOTALL)
_URL = re.compile(r"^[a-z][a-z0-9+.-]*://", re.IGNORECASE)


def safe_url(url: str) -> str:
    """`url` without user and password, and with the values of secret-looking query parameters replaced."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return HIDDEN
    host = parts.netloc.rpartition("@")[2]
    query = "&".join(
        f"{name}={HIDDEN if names_secret(name) else value}"
        for name, value in parse_qsl(parts.query, keep_blank_values=True)
    )
    return urlunsplit((parts.scheme, host, parts.path, query, ""))


def safe_command(arguments: Sequence[str]) -> list[str]:
    """The command line with URLs cleaned and the values of secret-looking settings replaced."""
    safe: list[str] = []
    hide_next = False
    for argument in arguments:
        hidden = hide_next and not is_reference(argument)
        safe.append(HIDDEN if hidden else _safe_argument(argument))
        hide_next = argument.startswith("--") and "=" not in argument and names_secret(argument)
    return safe


def _safe_argument(argument: str) -> str:
    if _URL.match(argument):
        return safe_url(argument)
    assignment = _ASSIGNMENT.match(argument)
    if assignment is None:
        return argument
    name, value = assignment["name"], assignment["value"]
    if value and names_secret(name) and not is_reference(value):
        return f"{name}={HIDDEN}"
    return f"{name}={_safe_argument(value)}"
