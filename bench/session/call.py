"""One call over a real connection: connect, speak, listen, hang up. The thin edge round sans-I/O cores.

In: a `CallPlan`; out: a `Timeline`, and each turn as soon as nothing more of it is expected. Its steps play themselves
with the verbs of `Conversation` (`interrupt`, ...), `Speaking` (`say`, `await_reply`, `hear_out`) and `Line` (`idle`,
`wait`, `send`). Two greenlets, the conversation and the reader (from the first message on), and a `Pacer` for the
microphone. Trap: whatever goes wrong is a fact in the timeline; only the observer is told, and nothing is raised.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import gevent

from bench.facts.failure import Failure
from bench.facts.timeline import Timeline
from bench.session.conversation import Conversation
from bench.session.plan import CallPlan, CallStep, Delays, Observer, pack_audio
from bench.transport.channel import Channel, TransportError

__all__ = ["Call", "CallPlan", "CallStep", "Delays", "Observer", "pack_audio"]


class Call(Conversation):
    """Plays one conversation. `run` blocks its greenlet; `hang_up` ends it from another."""

    def run(self) -> Timeline:
        """Play the whole call and return what happened; failures are facts in the timeline, never exceptions."""
        self._observer.open_sessions += 1
        self._note_gaps()
        reader: gevent.Greenlet | None = None
        try:
            self._channel = self._dial()
            reader = gevent.spawn(self._read, self._channel)
            for message in self.dialect.opening():
                self._channel.send(message)
            if self._await_ready():
                self._open_microphone(self._channel)
                self._play(self._plan.steps)
            self._await_transcriptions()
        except TransportError as error:
            self._fail(error.failure)
        except Exception as error:
            self.crashed(error)
            turn = self.tracker.current
            if turn is not None and turn.end is None:
                self._end(turn, "closed")
        finally:
            self._finish(reader)
        return self.timeline

    def _dial(self) -> Channel:
        """Connect, with a short-lived key where the target asks for one. Raises `TransportError`."""
        plan, connection = self._plan, self.timeline.connection
        if plan.tokens is None:
            return plan.transport.connect(plan.connect, connection)
        options, ends_ns = plan.tokens.admit(connection, self._redactor)
        try:
            return plan.transport.connect(options, connection)
        except TransportError as error:
            raise TransportError(plan.tokens.refused(error.failure, ends_ns)) from None

    def _play(self, steps: Sequence[CallStep]) -> None:
        for place, step in enumerate(steps):
            if self.over:
                break
            self.is_cut_into = place + 1 < len(steps) and getattr(steps[place + 1], "cuts_in", False)
            step.play(self)
        turn = self.tracker.current
        if turn is not None and turn.end is None:
            self.await_reply(turn)
        self._ended_turns.held = None

    def _finish(self, reader: gevent.Greenlet | None) -> None:
        """The one place where a call ends: nothing is sent any more, its turns are handed over, its connection goes.

        A step that fails is shown as our own mistake and does not keep the next from being taken.
        """
        self._set_talking(False)
        self._tool_desk.close()
        if self._pacer is not None:
            self._pacer.stop()
        try:
            self._report(everything=True)
        except Exception as error:
            self.crashed(error)
        try:
            self._close(reader)
        except Exception as error:
            self.crashed(error)
            if self._channel is not None:
                self._channel.abort()
        closed_ns = self.timeline.connection.closed_ns
        self.timeline.phase_ended = self._plan.phases.at(closed_ns or time.monotonic_ns()).name
        # These know the call: a cycle each, which the collector would have to find among thousands.
        self._pacer, self._frames = None, self._plan.frames
        del self._ended_turns, self._tool_desk
        self._observer.open_sessions -= 1

    def _await_ready(self) -> bool:
        began_ns = time.monotonic_ns()
        while not self._intake.ready:
            if self._ended("ready"):
                return False
            deadline_ns = began_ns + self._plan.bounds.ready_ns + self._lost_ns(began_ns)
            if time.monotonic_ns() >= deadline_ns:
                self._read_up()
                if self._intake.ready or self._ended("ready"):
                    continue
                error = self.tracker.last_error
                self._fail(
                    error.as_failure("ready")
                    if error
                    else Failure("timeout", "ready", "ready_timeout", self.dialect.while_not_ready())
                )
                return False
            self._sleep_until(deadline_ns)
        return not self._ended("ready")
