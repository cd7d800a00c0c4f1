"""Answers of HTTP/1.1, however they are cut into pieces, read as h11 reads them."""

from __future__ import annotations

import itertools

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.server.engines.cascade.response_reader import ResponseReader

ANSWERS = [
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Type: a/b\r\n\r\nhello",
    b"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 200 OK\nX: 1\nTransfer-Encoding: Chunked\n\n5\r\nhello\r\n3;a=b\r\nyou\r\n0\r\nTrailer: x\r\n\r\n",
    b"HTTP/1.1 500 No\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\nA \r\n0123456789\r\n0\r\n\r\n",
    b"HTTP/1.1 103 Early\r\nLink: a\r\n\r\nHTTP/1.1 100 Go\r\n\r\nHTTP/1.1 404 None\r\nContent-Length: 2\r\n\r\nno",
    b"HTTP/1.1 204 Nothing\r\nX:\r\n\r\n",
    b"HTTP/1.1 304 Same\r\nContent-Length: 10\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nX: a\r\nx:  b \r\nY: folded\r\n  on\r\nContent-Length: 1, 1\r\n\r\nz",
    b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nz",
    b"HTTP/1.1 200 OK\r\n\r\nuntil the end",
    b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nonetwo",
]
NONE = [
    b"SSH-2.0-x\r\n\r\n",
    b"HTTP/2 200 OK\r\n\r\n",
    b"HTTP/1.1 OK\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nspace : x\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nz",
    b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nz",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"0" * 5_000,
    b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000,
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n",
]


def read(pieces: list[bytes]) -> ResponseReader:
    """What was read, with the body in `fields[""]`."""
    reader = ResponseReader()
    body = b"".join(part for piece in pieces for part in reader.feed(piece))
    if not reader.whole:
        reader.end()
    reader.fields[""] = body.decode()
    return reader


def by_h11(data: bytes) -> tuple[int, dict[str, str], str, bool]:
    """Status, header, body, and whether the connection may be used again."""
    connection = h11.Connection(h11.CLIENT)
    connection.send(h11.Request(method="GET", target="/", headers=[("Host", "h")]))
    connection.send(h11.EndOfMessage())
    connection.receive_data(data)
    status, fields, body, ended = 0, {}, b"", False
    while not isinstance(event := connection.next_event(), h11.EndOfMessage):
        if event is h11.NEED_DATA:
            connection.receive_data(b"")
            ended = True
        elif isinstance(event, h11.Response):
            status = event.status_code
            for name, value in event.headers:
                known = fields.get(name.decode())
                fields[name.decode()] = value.decode() if known is None else f"{known}, {value.decode()}"
        elif isinstance(event, h11.Data):
            body += event.data
    keeps = connection.their_state is h11.DONE and not ended and not connection.trailing_data[0]
    return status, fields, body.decode(), keeps


@given(st.sampled_from(ANSWERS), st.lists(st.integers(0, 200), max_size=8))
def test_it_reads_what_h11_reads(answer: bytes, cuts: list[int]) -> None:
    places = [0, *sorted(min(cut, len(answer)) for cut in cuts), len(answer)]
    reader = read([answer[start:end] for start, end in itertools.pairwise(places)])
    status, fields, body, keeps = by_h11(answer)
    assert (reader.status, reader.fields.pop("")) == (status, body)
    for told in (reader.fields, fields):  # h11 makes one of two that are equal, and writes it small
        told.pop("content-length", None)
        told.pop("transfer-encoding", None)
    assert reader.fields == fields
    assert reader.whole
    if answer != ANSWERS[-1]:  # what follows may come after the answer was taken as whole
        assert reader.keeps == keeps


@given(st.sampled_from(ANSWERS[:-2]), st.data())
def test_an_answer_that_breaks_off_is_not_whole(answer: bytes, data: st.DataObject) -> None:
    reader = ResponseReader()
    reader.feed(answer[: data.draw(st.integers(0, len(answer) - 1))])
    assert not reader.whole
    assert not reader.end()


@pytest.mark.parametrize("answer", NONE, ids=range(len(NONE)))
@pytest.mark.parametrize("size", [1, 100_000])
def test_what_is_no_answer_is_refused(answer: bytes, size: int) -> None:
    with pytest.raises(ValueError, match=r"it|its|a |line"):
        read([answer[start : start + size] for start in range(0, len(answer), size)])


@given(st.binary(max_size=60), st.sampled_from([b"", b"HTTP/1.1 200 OK\r\n", ANSWERS[2][:60], ANSWERS[0][:40]]))
def test_strangers_bytes_are_an_answer_or_none(noise: bytes, opening: bytes) -> None:
    reader = ResponseReader()
    try:
        reader.feed(opening + noise)
    except ValueError:
        return
    assert reader.whole in {True, False}


def test_a_length_beside_chunks_ends_the_connection() -> None:
    reader = read([b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n"])
    assert (reader.whole, reader.keeps, reader.fields[""]) == (True, False, "a")
