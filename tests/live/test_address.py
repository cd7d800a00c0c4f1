"""Who may read the live page: only who has the token, only from the page itself."""

from __future__ import annotations

import socket

import pytest

from bench.errors import BenchError
from bench.live.address import Asked, LiveAddress, listen, new_token, refusal, url_of

TOKEN = "t0ken"


@pytest.mark.parametrize(
    ("asked", "local", "answered"),
    [
        (Asked("GET", TOKEN, "127.0.0.1:8089"), True, True),
        (Asked("GET", TOKEN, "localhost:8089"), True, True),
        (Asked("GET", TOKEN, "[::1]:8089"), True, True),
        (Asked("POST", TOKEN, "127.0.0.1:8089", "http://127.0.0.1:8089"), True, True),
        (Asked("GET", "", "127.0.0.1:8089"), True, False),
        (Asked("GET", "t0kem", "127.0.0.1:8089"), True, False),
        (Asked("GET", TOKEN, "rebound.example:8089"), True, False),
        (Asked("POST", TOKEN, "127.0.0.1:8089", "http://elsewhere.example"), True, False),
        (Asked("POST", TOKEN, "127.0.0.1:8089", "null"), True, False),
        (Asked("GET", TOKEN, "bench.example:8089"), False, True),
        (Asked("GET", "ünknown", "bench.example:8089"), False, False),
    ],
)
def test_requests_are_answered_or_refused(asked: Asked, local: bool, answered: bool) -> None:
    assert (refusal(asked, token=TOKEN, local=local) is None) == answered


def test_each_page_has_a_token_of_its_own() -> None:
    assert LiveAddress().token != LiveAddress().token
    assert len(new_token()) >= 20
    assert LiveAddress(token=TOKEN).token not in repr(LiveAddress(token=TOKEN))


@pytest.mark.parametrize(
    ("host", "shown", "local"),
    [("127.0.0.1", "127.0.0.1", True), ("0.0.0.0", "127.0.0.1", False), ("::1", "[::1]", True)],
)  # fmt: skip
def test_the_url_can_be_opened(host: str, shown: str, local: bool) -> None:
    address = LiveAddress(host, 0, TOKEN)
    assert url_of(address, 81) == f"http://{shown}:81/?token={TOKEN}"
    assert address.local == local


def test_an_address_that_is_taken_is_a_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(BenchError, match="cannot be served") as error:
        listen(LiveAddress("127.0.0.1", taken.getsockname()[1]))
    assert "--live-port" in str(error.value.hint)
