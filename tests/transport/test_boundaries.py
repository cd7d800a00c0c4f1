"""Frames and records are found whatever the chunking; exact reads never pass the end of a frame."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.transport.boundaries import MAX_READ, FrameSplitter, RawFrame, RecordBoundary
from tests.transport.scripted_server import frame

opcodes = st.sampled_from([0, 1, 2, 8, 9, 10])
payloads = st.one_of(
    st.binary(max_size=300), st.integers(min_value=300, max_value=70_000).map(lambda size: b"\xa5" * size)
)
frames = st.lists(st.tuples(opcodes, payloads, st.booleans()), max_size=8)


def encode(spec: tuple[int, bytes, bool]) -> bytes:
    opcode, payload, fin = spec
    return frame(payload, opcode, fin=fin)


def chunks(stream: bytes, cuts: list[int]) -> list[bytes]:
    edges = sorted({0, len(stream), *(cut % (len(stream) + 1) for cut in cuts)})
    return [stream[start:stop] for start, stop in itertools.pairwise(edges)]


@given(frames, st.lists(st.integers(min_value=0)))
def test_any_chunking_gives_the_frames_that_were_sent(specs: list[tuple[int, bytes, bool]], cuts: list[int]) -> None:
    splitter = FrameSplitter(1 << 40)
    found = [got for chunk in chunks(b"".join(map(encode, specs)), cuts) for got in splitter.feed(chunk)]
    assert [got.header + got.payload for got in found] == [encode(spec) for spec in specs]
    assert [got.payload for got in found] == [spec[1] for spec in specs]


@given(frames, st.data())
def test_exact_reads_end_at_most_one_frame_with_content(
    specs: list[tuple[int, bytes, bool]], data: st.DataObject
) -> None:
    stream = b"".join(map(encode, specs))
    splitter, found = FrameSplitter(1 << 40), []
    while stream:
        wanted = splitter.wanted()
        assert 1 <= wanted <= MAX_READ
        # The kernel may give less than was asked for.
        size = data.draw(st.integers(min_value=1, max_value=wanted)) if wanted < 200 else wanted
        chunk, stream = stream[:size], stream[size:]
        ended = splitter.feed(chunk)
        assert len([got for got in ended if got.payload]) <= 1
        # A frame with content is the last thing in its read: nothing of the next message was taken with its end.
        assert not ended or not ended[0].payload or len(ended) == 1
        found += ended
    assert [got.header + got.payload for got in found] == [encode(spec) for spec in specs]


@given(payloads.filter(lambda payload: len(payload) > 2))
def test_a_message_takes_two_reads(payload: bytes) -> None:
    stream = frame(payload)
    splitter, reads = FrameSplitter(1 << 40), 0
    while stream:
        size = splitter.wanted()
        splitter.feed(stream[:size])
        stream = stream[size:]
        reads += 1
    assert reads == (3 if len(payload) > 65535 else 2)


@pytest.mark.parametrize("header", [b"\x81\x85", b"\xc1\x05", b"\x83\x05", b"\x8f\xff"])
def test_a_header_that_no_server_may_send_is_handed_on_without_waiting_for_its_payload(header: bytes) -> None:
    splitter = FrameSplitter(1 << 40)
    assert splitter.feed(frame(b"fine") + header) == [RawFrame(b"\x81\x04", b"fine"), RawFrame(header, b"")]
    assert splitter.feed(b"rest") == [RawFrame(b"rest", b"")]
    assert splitter.wanted() > 0


def records(sizes: list[int]) -> bytes:
    return b"".join(b"\x17\x03\x03" + size.to_bytes(2, "big") + b"\x00" * size for size in sizes)


@given(st.lists(st.integers(min_value=0, max_value=16_640), max_size=6), st.data())
def test_a_read_never_passes_the_end_of_a_tls_record(sizes: list[int], data: st.DataObject) -> None:
    stream, boundary, position, ends = records(sizes), RecordBoundary(), 0, []
    while position < len(stream):
        wanted = boundary.wanted()
        size = data.draw(st.integers(min_value=max(1, wanted // 3), max_value=wanted))
        if boundary.feed(stream[position : position + size]):
            ends.append(position + size)
        position += size
    assert ends == [len(records(sizes[: count + 1])) for count in range(len(sizes))]


def test_a_record_refuses_what_belongs_to_the_next() -> None:
    boundary = RecordBoundary()
    boundary.feed(b"\x17\x03\x03\x00\x02")
    with pytest.raises(ValueError, match="3 bytes fed where 2 were wanted"):
        boundary.feed(b"abc")
