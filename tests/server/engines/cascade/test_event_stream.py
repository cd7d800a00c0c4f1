"""Server-sent events, however the stream is cut into pieces."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.server.engines.cascade import event_stream
from bench.server.engines.cascade.event_stream import EventStream

STREAM = (
    '\ufeffdata: {"a": "é…"}\r\n\r\n: a comment\ndata:no space\n\nevent: other\nid: 7\ndata: one\ndata:  two\n\n'
    "\n\nretry: 10\r\rdata: by CR\r\rdata\n\ndata: [DONE]\n\n"
).encode()
EVENTS = ['{"a": "é…"}', "no space", "one\n two", "by CR", "", "[DONE]"]


def read(pieces: list[bytes]) -> list[str]:
    stream = EventStream()
    found = [event for piece in pieces for event in stream.feed(piece)]
    return found + stream.rest()


@given(st.lists(st.integers(0, len(STREAM)), max_size=20))
def test_the_pieces_do_not_matter(cuts: list[int]) -> None:
    places = [0, *sorted(cuts), len(STREAM)]
    assert read([STREAM[start:end] for start, end in itertools.pairwise(places)]) == EVENTS


@pytest.mark.parametrize("end", [b"", b"\n", b"\r", b"\r\n"])
def test_the_last_event_may_lack_its_empty_line(end: bytes) -> None:
    assert read([b"data: x\n\ndata: [DONE]" + end]) == ["x", "[DONE]"]


def test_an_event_is_known_with_its_last_byte() -> None:
    stream = EventStream()
    assert stream.feed(b"data: x\r\n\r") == ["x"]
    assert stream.feed(b"\ndata: y\n") == []
    assert stream.feed(b"\n") == ["y"]


@pytest.mark.parametrize("line", [b"data: xxxxxxxx", b"data: xxxxxxxx\n"])
def test_an_event_without_an_end_is_refused(line: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_stream, "MOST_BYTES", 100)
    with pytest.raises(ValueError, match="more than 100"):
        read([line] * 20)
