"""Errors are classed by their fields."""

from __future__ import annotations

import pytest

from bench.dialects.errors import classify_error
from bench.facts.signals import ErrorInfo


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ErrorInfo("rate_limit_exceeded", "inference_rate_limit_exceeded"), "rate_limit"),
        (ErrorInfo("invalid_request_error", "rate_limit_exceeded"), "rate_limit"),
        (ErrorInfo("tokens", None), "rate_limit"),
        (ErrorInfo("insufficient_quota", "insufficient_quota"), "quota"),
        (ErrorInfo("invalid_request_error", "invalid_api_key"), "auth"),
        (ErrorInfo("invalid_request_error", "session_expired"), "closed"),
        (ErrorInfo("invalid_request_error", "invalid_value"), "protocol"),
        (ErrorInfo("server_error", None), "server"),
        (ErrorInfo(None, None, message="429 rate_limit insufficient_quota"), "server"),
    ],
)
def test_kind(error: ErrorInfo, kind: str) -> None:
    assert classify_error(error) == kind
