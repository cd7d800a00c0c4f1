"""What went wrong with one of the services, and with which: the error that the caller of the cascade sees.

Its code begins with the leg (`llm_rate_limit_exceeded`, `tts_cut`); its type says of which kind it is.
"""

from __future__ import annotations

from typing import Any

import orjson

from bench.config.secrets import without_keys
from bench.server.engines.base import EngineError
from bench.server.engines.cascade.http_client import HttpError

MOST_SHOWN = 300
_KIND_OF_STATUS = {401: "authentication_error", 403: "permission_error", 408: "timeout_error", 429: "rate_limit_error"}


class LegError(EngineError):
    """A service failed; the reply fails with it, and the call goes on."""

    def __init__(self, leg: str, code: str, kind: str, message: str) -> None:
        super().__init__(f"{leg}: {without_keys(message)[:MOST_SHOWN]}")
        self.leg = leg
        self.code = f"{leg}_{code}"
        self.kind = kind


def of_status(leg: str, status: int, body: bytes) -> LegError:
    """A service that answered with an error status."""
    error = _error_in(body)
    own = error.get("code") or error.get("type")
    code = own if isinstance(own, str) and own else f"http_{status}"
    kind = _KIND_OF_STATUS.get(status, "server_error" if status >= 500 else "invalid_request_error")
    if code == "insufficient_quota":
        kind = code
    message = error.get("message") or body[:MOST_SHOWN].decode("utf-8", "replace")
    return LegError(leg, code, kind, f"HTTP {status}: {message}")


def of_exception(leg: str, error: HttpError, *, began: bool) -> LegError:
    """A service without a connection, that broke off, or that speaks no HTTP; `began`: some of its answer had come."""
    if error.kind == "unreachable":
        return LegError(leg, "unreachable", "connect_error", str(error))
    if error.kind == "timeout":
        what = "the rest of the answer did not come in time" if began else "no answer in time"
        return LegError(leg, "stalled" if began else "timeout", "timeout_error", what)
    if error.kind == "malformed":
        return malformed(leg, str(error))
    return LegError(leg, "cut", "closed_error", f"the connection broke off: {error}")


def malformed(leg: str, what: str) -> LegError:
    """A service that answered with something else than its API says."""
    return LegError(leg, "malformed", "protocol_error", what)


def of_event(leg: str, error: Any) -> LegError:
    """An error among the events of an answer that had begun well."""
    found = error if isinstance(error, dict) else {}
    code = found.get("code") if isinstance(found.get("code"), str) else found.get("type")
    kind = str(found.get("type") or "server_error")
    return LegError(leg, str(code or "error"), kind, str(found.get("message") or error))


def _error_in(body: bytes) -> dict[str, Any]:
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    error = found.get("error") if isinstance(found, dict) else None
    return error if isinstance(error, dict) else {}
