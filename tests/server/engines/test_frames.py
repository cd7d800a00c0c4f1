"""Messages to and from workers, cut anywhere."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.server.engines.frames import FrameReader, pack

MESSAGES = st.lists(
    st.tuples(st.dictionaries(st.text(max_size=5), st.integers(-9, 9), max_size=3), st.binary(max_size=40))
)


@given(messages=MESSAGES, size=st.integers(1, 50))
def test_messages_survive_any_cut(messages: list[tuple[dict[str, int], bytes]], size: int) -> None:
    stream = b"".join(pack(head, body) for head, body in messages)
    reader = FrameReader()
    found = [message for start in range(0, len(stream), size) for message in reader.feed(stream[start : start + size])]
    assert found == messages


def test_a_stream_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="out of step"):
        list(FrameReader().feed(b"\xff" * 16))
