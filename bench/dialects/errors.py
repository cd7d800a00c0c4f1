"""What kind of failure a provider's error is, decided from its `code` and `type` fields alone.

In: an `ErrorInfo`; out: one word of the outcome taxonomy (design section 4). Trap: never look into the message;
a base64 string or an id may hold "429", and vendors reword sentences without notice.
"""

from __future__ import annotations

from bench.facts.failure import ErrorKind
from bench.facts.signals import ErrorInfo

_BY_CODE: dict[str, ErrorKind] = {
    "insufficient_quota": "quota",
    "billing_hard_limit_reached": "quota",
    "billing_not_active": "quota",
    "quota_exceeded": "quota",
    "invalid_api_key": "auth",
    "incorrect_api_key": "auth",
    "account_deactivated": "auth",
    "unauthorized": "auth",
    "permission_denied": "auth",
    "forbidden": "auth",
    "session_limit_reached": "rate_limit",
    "too_many_requests": "rate_limit",
    "session_expired": "closed",
    "server_error": "server",
    "internal_error": "server",
    "internal_server_error": "server",
    "service_unavailable": "server",
    "overloaded": "server",
    "model_overloaded": "server",
    "timeout": "timeout",
    "request_timeout": "timeout",
}
_BY_TYPE: dict[str, ErrorKind] = {
    "insufficient_quota": "quota",
    "authentication_error": "auth",
    "permission_error": "auth",
    "tokens": "rate_limit",
    "requests": "rate_limit",
    "server_error": "server",
    "internal_error": "server",
    "api_error": "server",
    "overloaded_error": "server",
    "service_unavailable_error": "server",
    "timeout_error": "timeout",
    "invalid_request_error": "protocol",
}


def classify_error(error: ErrorInfo) -> ErrorKind:
    """The `error_kind` of a provider error: `code` first, then `type`; what neither names is the server's fault.

    Rate limits come as `rate_limit_exceeded`, `inference_rate_limit_exceeded` and the like, in either field,
    so a `rate_limit` inside the *code or type identifier* decides; nothing is read out of prose.
    """
    code, kind = (error.code or "").lower(), (error.type or "").lower()
    if code in _BY_CODE:
        return _BY_CODE[code]
    if "rate_limit" in code or "rate_limit" in kind:
        return "rate_limit"
    if kind in _BY_TYPE:
        return _BY_TYPE[kind]
    return "server"
