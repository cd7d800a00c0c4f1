"""Reading OpenAI's fields: errors are classed by `code` and `type`."""

from __future__ import annotations

import pytest

from bench.dialects.openai_fields import parse_error


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ({"type": "rate_limit_exceeded", "code": "inference_rate_limit_exceeded"}, "rate_limit"),
        ({"type": "invalid_request_error", "code": "rate_limit_exceeded"}, "rate_limit"),
        ({"type": "tokens", "code": None}, "rate_limit"),
        ({"type": "insufficient_quota", "code": "insufficient_quota"}, "quota"),
        ({"type": "invalid_request_error", "code": "invalid_api_key"}, "auth"),
        ({"type": "invalid_request_error", "code": "session_expired"}, "closed"),
        ({"type": "invalid_request_error", "code": "invalid_value"}, "protocol"),
        ({"type": "server_error", "code": None}, "server"),
        ({"type": None, "code": None, "message": "429 rate_limit insufficient_quota"}, "server"),
    ],
)
def test_kind_of_an_error(error: dict[str, str | None], kind: str) -> None:
    assert parse_error(error).error_kind == kind
