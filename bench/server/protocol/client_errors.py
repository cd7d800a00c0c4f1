"""Errors a client event can cause, as the vendor words them, and their shape on the wire.

A handler raises `ProtocolError`; the session turns it into one `error` event and carries on.
Trap: `error.event_id` is the *client's* id of the offending event; the event itself has an id of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


class ProtocolError(Exception):
    """A client event that cannot be honoured; the session stays open."""

    def __init__(
        self, message: str, *, code: str | None, param: str | None = None, kind: str = "invalid_request_error"
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.param = param
        self.kind = kind

    def body(self, client_event_id: str | None = None) -> dict[str, Any]:
        """The `error` object of an `error` event."""
        return {
            "type": self.kind,
            "code": self.code,
            "message": self.message,
            "param": self.param,
            "event_id": client_event_id,
        }


def quoted(values: Iterable[object]) -> str:
    """Allowed values as the vendor lists them: 'a', 'b', and 'c'."""
    words = [repr(value) for value in values]
    if len(words) < 3:
        return " and ".join(words)
    return ", ".join(words[:-1]) + f", and {words[-1]}"


def missing(param: str) -> ProtocolError:
    return ProtocolError(f"Missing required parameter: '{param}'.", code="missing_required_parameter", param=param)


def unknown(param: str) -> ProtocolError:
    return ProtocolError(f"Unknown parameter: '{param}'.", code="unknown_parameter", param=param)


def invalid_choice(param: str, found: object, allowed: Iterable[object]) -> ProtocolError:
    return ProtocolError(
        f"Invalid value: {found!r}. Supported values are: {quoted(allowed)}.", code="invalid_value", param=param
    )


def invalid_type(param: str, expected: str, found: object) -> ProtocolError:
    name = {
        type(None): "null",
        bool: "a boolean",
        int: "an integer",
        float: "a decimal",
        str: "a string",
        list: "an array",
        dict: "an object",
    }.get(type(found), type(found).__name__)
    return ProtocolError(
        f"Invalid type for '{param}': expected {expected}, but got {name} instead.", code="invalid_type", param=param
    )


def wrong_field(owner: Mapping[str, Any], key: str, expected: str, path: str = "") -> ProtocolError:
    """`key` of an object is missing or of a wrong type; `path` leads to the object."""
    return invalid_type(path + key, expected, owner[key]) if key in owner else missing(path + key)
