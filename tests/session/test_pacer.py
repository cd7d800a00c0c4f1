"""Frames at their deadlines over a real socket, and a peer that reads none of them."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import gevent
import pytest

from bench.facts.failure import Failure
from bench.session.frames import Utterance
from bench.session.microphone import Microphone
from bench.session.pacer import Pacer
from bench.transport.channel import Message, TransportError
from bench.transport.websocket import WebSocket, pack
from tests.transport.conftest import Opener

FRAME_NS = 10_000_000
SILENCE = pack("silence")


def utterance(*frames: bytes) -> Utterance:
    length_ns = len(frames) * FRAME_NS
    return Utterance(
        fixture="f",
        reference="",
        language="en",
        accent="",
        voice="",
        frames=tuple(pack(frame.decode()) for frame in frames),
        duration_ns=length_ns,
        speech_start_ns=0,
        speech_end_ns=length_ns,
    )


def microphone(*, continuous: bool) -> Microphone:
    return Microphone(frame_ns=FRAME_NS, idle=(SILENCE,), continuous=continuous)


@dataclass
class Heard:
    """A speaker that takes notes, and may raise what a real one's sending could raise."""

    due_ns: list[int] = field(default_factory=list)
    late_us: list[int] = field(default_factory=list)
    last: list[int] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    raising: Exception | None = None

    def frame_sent(self, due_ns: int, late_us: int, *, last: bool) -> None:
        self.due_ns.append(due_ns)
        self.late_us.append(late_us)
        if last:
            self.last.append(len(self.due_ns))
            if self.raising is not None:
                raise self.raising

    def sending_failed(self, failure: Failure) -> None:
        self.failures.append(failure)

    def crashed(self, error: Exception) -> None:
        self.failures.append(Failure("harness", "turn", type(error).__name__, str(error)))


def echoed(ws: WebSocket, count: int) -> list[str | bytes]:
    got = []
    for _ in range(count):
        message = ws.receive(5)
        assert isinstance(message, Message)
        got.append(message.data)
    return got


def test_an_open_microphone_sends_silence_and_speech_one_interval_apart(dial_in: Opener) -> None:
    ws, mic, heard = dial_in("/echo"), microphone(continuous=True), Heard()
    mic.open(time.monotonic_ns())
    mic.speak(utterance(b"one", b"two"), time.monotonic_ns() + 2 * FRAME_NS)
    pacer = Pacer(ws, mic, heard)
    pacer.resume()
    pacer.resume()  # runs already: must not send twice
    got = echoed(ws, 8)
    pacer.stop()
    assert [frame for frame in got if frame != "silence"] == ["one", "two"]
    steps = {later - earlier for earlier, later in zip(heard.due_ns, heard.due_ns[1:], strict=False)}
    assert steps == {FRAME_NS}
    assert heard.last == [got.index("two") + 1]


def test_push_to_talk_is_silent_until_it_is_resumed(dial_in: Opener) -> None:
    ws, mic, heard = dial_in("/echo"), microphone(continuous=False), Heard()
    pacer = Pacer(ws, mic, heard)
    pacer.resume()
    gevent.sleep(0.03)
    assert heard.due_ns == []
    for word in (b"first", b"second"):
        mic.speak(utterance(word), time.monotonic_ns())
        pacer.resume()
        assert echoed(ws, 1) == [word.decode()]
    gevent.sleep(0.03)
    pacer.stop()
    assert heard.last == [1, 2]


def test_nothing_is_sent_after_stop(dial_in: Opener) -> None:
    ws, mic, heard = dial_in("/echo"), microphone(continuous=True), Heard()
    mic.open(time.monotonic_ns())
    pacer = Pacer(ws, mic, heard)
    pacer.resume()
    echoed(ws, 1)
    pacer.stop()
    sent = len(heard.due_ns)
    pacer.resume()
    gevent.sleep(0.05)
    assert len(heard.due_ns) == sent


def test_a_peer_that_does_not_read_fails_its_own_call_alone(dial_in: Opener) -> None:
    big = pack("x" * 3_000_000)
    loud, lost = Microphone(frame_ns=FRAME_NS, idle=(big,), continuous=True), Heard()
    deaf = Pacer(dial_in("/deaf", send_timeout_s=0.3), loud, lost)
    ws, mic, heard = dial_in("/echo"), microphone(continuous=True), Heard()
    other = Pacer(ws, mic, heard)
    loud.open(time.monotonic_ns())
    mic.open(time.monotonic_ns())
    deaf.resume()
    other.resume()
    echoed(ws, 40)
    with gevent.Timeout(5):
        while not lost.failures:
            gevent.sleep(0.01)
    other.stop()
    assert [(failure.error_kind, failure.error_code) for failure in lost.failures] == [("timeout", "send_timeout")]
    assert not heard.failures
    # A frame counts as sent when the kernel has it: the one that was stuck never did.
    assert max(heard.late_us) < 300_000
    assert len(lost.due_ns) <= 2


def test_a_wait_for_the_peer_is_lateness_of_that_frame(dial_in: Opener) -> None:
    said = utterance(b"x" * 8_000_000, b"after")  # packing it takes a good part of the 300 ms that the peer sleeps
    ws, mic, heard = dial_in("/drowsy", send_timeout_s=10), microphone(continuous=False), Heard()
    mic.speak(said, time.monotonic_ns())
    pacer = Pacer(ws, mic, heard)
    pacer.resume()
    gevent.sleep(0.1)
    assert heard.due_ns == []
    assert [len(frame) for frame in echoed(ws, 2)] == [8_000_000, 5]
    pacer.stop()
    assert 150_000 < heard.late_us[0] < 5_000_000
    assert len(heard.late_us) == 2


@pytest.mark.parametrize(
    ("raising", "failure"),
    [
        (TransportError(Failure("closed", "turn", "gone", "gone")), ("closed", "gone")),
        (KeyError("a mistake of ours"), ("harness", "KeyError")),
    ],
)
def test_a_failure_behind_the_last_frame_ends_the_pacing(
    dial_in: Opener, raising: Exception, failure: tuple[str, str]
) -> None:
    ws, mic = dial_in("/echo"), microphone(continuous=True)
    heard = Heard(raising=raising)
    mic.open(time.monotonic_ns())
    mic.speak(utterance(b"word"), time.monotonic_ns())
    pacer = Pacer(ws, mic, heard)
    pacer.resume()
    with gevent.Timeout(5):
        while not heard.failures:
            gevent.sleep(0.005)
    sent = len(heard.due_ns)
    gevent.sleep(0.05)
    assert [(each.error_kind, each.error_code) for each in heard.failures] == [failure]
    assert len(heard.due_ns) == sent


def test_a_closed_socket_is_a_failure_and_no_exception(dial_in: Opener) -> None:
    ws, mic, heard = dial_in("/echo"), microphone(continuous=True), Heard()
    mic.open(time.monotonic_ns())
    pacer = Pacer(ws, mic, heard)
    pacer.resume()
    ws.abort()
    with gevent.Timeout(5):
        while not heard.failures:
            gevent.sleep(0.005)
    assert heard.failures[0].error_kind == "closed"
