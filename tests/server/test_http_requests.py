"""HTTP requests: whole or in pieces, with and without a body; what cannot be served is refused with its status."""

from __future__ import annotations

from http import HTTPStatus

import orjson
import pytest

from bench.server.http_requests import MAX_BODY_BYTES, RequestError, error_body, json_answer, parse_request

POST = b"POST /v1/x?model=a%20b&model=c HTTP/1.1\r\nHost: h\r\ncontent-length: 4\r\nX-Two: 1\r\n\r\n{ } "


@pytest.mark.parametrize("size", [0, 1, 3, 20, 60, len(POST) - 1])
def test_a_request_in_pieces_is_not_complete(size: int) -> None:
    if size:
        assert parse_request(POST[:size]) is None
    request = parse_request(POST + b"more")
    assert request is not None
    assert (request.method, request.path, request.body) == ("POST", "/v1/x", b"{ } ")
    assert request.query("model") == "a b"
    assert request.query("voice") is None
    assert request.headers.get("x-TWO", "") == "1"


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"\x16\x03\x01\x02\x00", HTTPStatus.BAD_REQUEST),  # TLS spoken to a plain port
        (b"GET /\r\n", HTTPStatus.BAD_REQUEST),
        (b"GET / HTTP/2.0\r\n", HTTPStatus.BAD_REQUEST),
        (b"GET / HTTP/1.1\r\nContent-Length: -4\r\n\r\n", HTTPStatus.BAD_REQUEST),
        (b"GET / HTTP/1.1\r\nContent-Length: many\r\n\r\n", HTTPStatus.BAD_REQUEST),
        (b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 200 + b"\r\n", HTTPStatus.BAD_REQUEST),
        (b"GET / HTTP/1.1\r\nX: " + b"y" * 70_000, HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", HTTPStatus.LENGTH_REQUIRED),
        (
            f"POST / HTTP/1.1\r\nContent-Length: {MAX_BODY_BYTES + 1}\r\n\r\n".encode(),
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        ),
    ],
)
def test_what_cannot_be_served_is_refused(data: bytes, status: HTTPStatus) -> None:
    with pytest.raises(RequestError) as refused:
        parse_request(data)
    assert refused.value.status is status


def test_answers_are_json_and_end_the_connection() -> None:
    head, _, body = json_answer(HTTPStatus.NOT_FOUND, error_body("no")).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 404 Not Found\r\n")
    assert b"Connection: close" in head
    assert orjson.loads(body)["error"] == {
        "message": "no",
        "type": "invalid_request_error",
        "param": None,
        "code": None,
    }
    assert json_answer(HTTPStatus.OK, {"a": 1}, head_only=True).endswith(b"\r\n\r\n")
