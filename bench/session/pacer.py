"""The paced sender of one call: each frame of the microphone at its deadline. The thin edge between clock and socket.

In: a `Microphone` and an open `Channel`. Out: frames on the wire; a `Speaker` is told of each. It has no
greenlet of its own: at hundreds of calls two switches per frame cost more than the frame. Only when the peer does not
read does a greenlet wait for it, with the rest of this call's frames behind.
Trap: `_tick` runs in the hub or in another call's reader, so nothing in it may block or switch.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

import gevent

from bench.facts.failure import Failure
from bench.session.alarm import shared_alarm
from bench.session.microphone import Microphone
from bench.transport.channel import Channel, TransportError


class Speaker(Protocol):
    """Who owns the microphone. Its methods must not block either."""

    def frame_sent(self, due_ns: int, late_us: int, *, last: bool) -> None:
        """The kernel has a frame; `last` of its utterance. May raise `TransportError` by sending what follows it."""

    def sending_failed(self, failure: Failure) -> None:
        """No frame will be sent any more."""

    def crashed(self, error: Exception) -> None:
        """Nor any after an error of our own."""


class Pacer:
    """Sends until `stop`; `resume` after the microphone was opened or has something new to say."""

    def __init__(
        self,
        channel: Channel,
        microphone: Microphone,
        speaker: Speaker,
        *,
        pack: Callable[[bytes], bytes] | None = None,
    ) -> None:
        """`pack`: makes each frame ready as it is sent; None: frames are ready."""
        self._channel = channel
        self._microphone = microphone
        self._speaker = speaker
        self._pack = pack
        self._alarm = shared_alarm()
        self._running = False
        self._stopped = False
        self._waiting: gevent.Greenlet | None = None

    def resume(self) -> None:
        """Go on with the next frame that is due; nothing while frames are on their way already."""
        if not self._running and not self._stopped:
            self._running = True
            self._schedule()

    def stop(self) -> None:
        """Send no more frames."""
        self._stopped = True
        if self._waiting is not None:
            self._waiting.kill(block=False)

    def _schedule(self) -> None:
        due_ns = self._microphone.due_ns()
        if due_ns is None:
            self._running = False
        else:
            # By way of the alarm even when it is overdue: others may have waited longer.
            self._alarm.at(due_ns, self._tick)

    def _tick(self) -> None:
        try:
            self._send_next()
        except TransportError as error:
            self._fail(error.failure)
        except Exception as error:
            self._stopped = True
            self._speaker.crashed(error)

    def _send_next(self) -> None:
        microphone = self._microphone
        due_ns = microphone.due_ns()
        if self._stopped or due_ns is None:
            self._running = False
            return
        speaking = microphone.speaking
        frame = microphone.take()
        if self._pack is not None:
            frame = self._pack(frame)
        last = speaking and not microphone.speaking
        if self._channel.post_audio(frame):
            self._sent(due_ns, last=last)
        else:
            self._waiting = gevent.spawn(self._await_peer, due_ns, last)

    def _sent(self, due_ns: int, *, last: bool) -> None:
        late_us = max(0, time.monotonic_ns() - due_ns) // 1000
        self._speaker.frame_sent(due_ns, late_us, last=last)
        self._schedule()

    def _await_peer(self, due_ns: int, last: bool) -> None:
        """Body of the greenlet that waits while the peer does not read."""
        try:
            self._channel.flush()
            self._sent(due_ns, last=last)
        except TransportError as error:
            self._fail(error.failure)
        except Exception as error:
            self._stopped = True
            self._speaker.crashed(error)

    def _fail(self, failure: Failure) -> None:
        self._stopped = True
        self._speaker.sending_failed(failure)
