"""WebSocket framing: whatever slices bytes come in, the same messages come out; a broken frame is refused."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode

from bench.server.websocket_frames import (
    BINARY,
    CLOSE,
    PING,
    TEXT,
    ClientFrames,
    FramingError,
    close_code,
    close_frame,
    frame,
)

KINDS = {Opcode.TEXT: TEXT, Opcode.BINARY: BINARY, Opcode.PING: PING}


def masked(opcode: Opcode, payload: bytes, *, fin: bool = True) -> bytes:
    return Frame(opcode, payload, fin=fin).serialize(mask=True)


@settings(max_examples=60, deadline=None)
@given(
    messages=st.lists(
        st.tuples(st.sampled_from(list(KINDS)), st.integers(0, 300) | st.just(70_000), st.integers(1, 4)), max_size=6
    ),
    size=st.integers(1, 4000),
)
def test_any_slices_give_the_messages(messages: list[tuple[Opcode, int, int]], size: int) -> None:
    sent, wire = [], b""
    for number, (opcode, length, pieces) in enumerate(messages):
        payload = bytes(
            (number + place) % 251 for place in range(min(length, 125) if opcode is Opcode.PING else length)
        )
        sent.append((KINDS[opcode], payload))
        if opcode is Opcode.PING or pieces == 1:
            wire += masked(opcode, payload)
            continue
        cuts = [len(payload) * place // pieces for place in range(pieces + 1)]
        for place in range(pieces):
            kind = opcode if not place else Opcode.CONT
            wire += masked(kind, payload[cuts[place] : cuts[place + 1]], fin=place == pieces - 1)
    reader = ClientFrames()
    got = [found for start in range(0, len(wire), size) for found in reader.feed(wire[start : start + size])]
    assert got == sent


@pytest.mark.parametrize(
    ("wire", "code"),
    [
        (Frame(Opcode.TEXT, b"unmasked").serialize(mask=False), 1002),
        (masked(Opcode.CONT, b"of nothing"), 1002),
        (masked(Opcode.TEXT, b"a", fin=False) + masked(Opcode.TEXT, b"b"), 1002),
        (b"\xc1" + masked(Opcode.TEXT, b"x")[1:], 1002),
        (b"\x83" + masked(Opcode.TEXT, b"x")[1:], 1002),
        (b"\x89\xfe\x01\x00\x00\x00\x00\x00" + bytes(256), 1002),
        (b"\x81\xff" + (1 << 40).to_bytes(8, "big") + bytes(4), 1009),
    ],
    ids=["unmasked", "continues nothing", "text in text", "reserved bit", "reserved opcode", "long ping", "too big"],
)
def test_a_broken_frame_is_refused(wire: bytes, code: int) -> None:
    with pytest.raises(FramingError) as refused:
        list(ClientFrames().feed(wire))
    assert refused.value.code == code


@pytest.mark.parametrize("size", [0, 125, 126, 65_535, 65_536])
def test_frames_are_read_by_the_package(size: int) -> None:
    from websockets.client import ClientProtocol
    from websockets.protocol import OPEN
    from websockets.uri import parse_uri

    client = ClientProtocol(parse_uri("ws://localhost/"), state=OPEN, max_size=None)
    client.receive_data(frame(TEXT, bytes(size)))
    (event,) = client.events_received()
    assert isinstance(event, Frame)
    assert len(event.data) == size


def test_close_frames_carry_code_and_reason() -> None:
    data = close_frame(4000, "r" * 200)
    assert data[0] == 0x80 | CLOSE
    assert close_code(data[2:]) == 4000
    assert len(data) == 2 + 125
    assert close_code(b"") is None
