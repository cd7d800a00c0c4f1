"""One call over a real connection: connect, speak, listen, hang up. The thin edge round sans-I/O cores.

In: a `CallPlan`; out: a `Timeline`, and each turn as soon as nothing more of it is expected. Its steps play themselves
with the verbs of `Conversation` (`interrupt`, ...), `Speaking` (`say`, `await_reply`, `hear_out`) and `Line` (`idle`,
`wait`, `send`). Two greenlets, the conversation and the reader (from the first message on), and a `Pacer` for the
microphone. Trap: whatever goes wrong is a fact in the timeline; only the observer is told, and nothing is raised.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

import gevent

from bench.facts.connection import Connection
from bench.facts.failure import Failure
from bench.facts.renewal import Renewal
from bench.facts.timeline import Timeline
from bench.session.conversation import Conversation
from bench.session.plan import CallPlan, CallStep, Delays, Observer, pack_audio
from bench.session.renewals import Due
from bench.session.retelling import said_in
from bench.transport.channel import Channel, TransportError

_LOOK_NS = 1_000_000_000
"""In a long silence it is looked so often whether the session is to be renewed."""
__all__ = ["Call", "CallPlan", "CallStep", "Delays", "Observer", "pack_audio"]


class Call(Conversation):
    """Plays one conversation. `run` blocks its greenlet; `hang_up` ends it from another."""

    def run(self) -> Timeline:
        """Play the whole call and return what happened; failures are facts in the timeline, never exceptions."""
        self._observer.open_sessions += 1
        self._note_gaps()
        try:
            self._channel = self._dial(self.timeline.connection)
            self._reader = gevent.spawn(self._read, self._channel)
            if self._begin_session(self._channel):
                self._play(self._plan.steps)
            self._await_transcriptions()
        except TransportError as error:
            self._fail(self.dialect.when_refused(error.failure))
        except Exception as error:
            self.crashed(error)
            turn = self.tracker.current
            if turn is not None and turn.end is None:
                self._end(turn, "closed")
        finally:
            self._finish()
        return self.timeline

    def _begin_session(self, channel: Channel) -> bool:
        """Configure the session and open the microphone; False when the call is over."""
        for message in self.dialect.opening():
            channel.send(message)
        if not self._await_ready():
            return False
        self._open_microphone(channel)
        return True

    def _dial(self, connection: Connection) -> Channel:
        """Connect, with a short-lived key where the target asks for one. Raises `TransportError`."""
        plan = self._plan
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
            if place and not getattr(step, "cuts_in", False):
                self._renew_if_due()
            self.is_cut_into = place + 1 < len(steps) and getattr(steps[place + 1], "cuts_in", False)
            step.play(self)
        turn = self.tracker.current
        if turn is not None and turn.end is None:
            self.await_reply(turn)
        self._ended_turns.held = None

    # a new session

    def idle(self, duration_ns: int) -> None:
        """As `Line`; a session that becomes due in a long silence is renewed in it."""
        if self.dialect.config.renew is None:
            super().idle(duration_ns)
            return
        until_ns = time.monotonic_ns() + duration_ns
        while (now_ns := time.monotonic_ns()) < until_ns and not self.over:
            due = self._renewals.due
            look_ns = now_ns + _LOOK_NS if due is None else max(now_ns, due.at_ns)
            self.idle_until(min(until_ns, look_ns, now_ns + _LOOK_NS))
            self._renew_if_due()

    def _renew_if_due(self) -> None:
        """Go on in a new session where that is due: between two turns, when nothing is being said."""
        if self._renewals.due_now(time.monotonic_ns()) is None or self.over:
            return
        self._await_transcriptions()
        due = self._renewals.due_now(time.monotonic_ns())
        if due is not None and not self.over:
            self._renew(due)

    def _renew(self, due: Due) -> None:
        """Leave the session and open another. Raises `TransportError` when that cannot be had."""
        renewal = Renewal(due.by, Connection(time.monotonic_ns()))
        self._leave()
        self.dialect.renew()
        self._renewals.begin()
        self._intake.renew()
        self.tracker.renewed()
        renewal.resumed = self.dialect.resumes
        self.timeline.renewals.append(renewal)
        try:
            self._channel = channel = self._dial(renewal.connection)
        except TransportError as error:
            failure = error.failure
            said = f"the session could not be renewed: {failure.message or failure.error_code or failure.error_kind}"
            raise TransportError(replace(failure, message=said)) from None
        self._reader = gevent.spawn(self._read, channel)
        if not self._begin_session(channel):
            return
        policy = self.dialect.config.renew
        if policy is not None and policy.context == "text" and not renewal.resumed:
            for role, words in said_in(self.timeline):
                for message in self.dialect.retell(role, words):
                    self.send(message)
                    renewal.retold += 1

    def _leave(self) -> None:
        """Hang up the session that is renewed, beside what follows."""
        if self._pacer is not None:
            self._pacer.stop()
        if self._reader is not None:
            self._reader.kill(block=True)
        channel, self._channel, self._closed = self._channel, None, None
        if channel is not None:
            timeout_s = self._plan.bounds.close_ns / 1e9
            self._left.append(gevent.spawn(channel.close, timeout_s=timeout_s))

    # the end

    def _finish(self) -> None:
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
            self._close(self._reader)
            gevent.joinall(self._left)
        except Exception as error:
            self.crashed(error)
            if self._channel is not None:
                self._channel.abort()
        closed_ns = self.timeline.connection.closed_ns
        self.timeline.phase_ended = self._plan.phases.at(closed_ns or time.monotonic_ns()).name
        # These know the call: a cycle each, which the collector would have to find among thousands.
        self._pacer, self._frames = None, self._plan.frames
        self._reader = None
        del self._ended_turns, self._tool_desk
        self._observer.open_sessions -= 1

    def _lacking(self) -> str:
        return self.dialect.while_not_ready() if self._messages_read else self.dialect.while_silent()

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
                    else Failure("timeout", "ready", "ready_timeout", self._lacking())
                )
                return False
            self._sleep_until(deadline_ns)
        return not self._ended("ready")
