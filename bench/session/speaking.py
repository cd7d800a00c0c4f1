"""Somebody speaks on a line: a microphone, turns, and their way to the observer.

In: fixtures to say. Out: turns in the timeline, each handed over as soon as nothing more of it is expected. Trap: the
caller goes on when the reply has been *heard*, not when the server has sent it, and a turn's row waits for a late
transcription.
"""

from __future__ import annotations

import time

import gevent

from bench.audio.catalogue import Fixture
from bench.dialects.dialect import Dialect
from bench.facts.failure import Failure
from bench.facts.timeline import TurnEnd, TurnFacts
from bench.session.alarm import shared_alarm
from bench.session.ended_turns import EndedTurns
from bench.session.frames import Utterance
from bench.session.line import Line
from bench.session.microphone import Microphone, phase_of
from bench.session.pacer import Pacer
from bench.session.plan import CallPlan, Observer, pack_audio
from bench.transport.channel import Channel

_NEVER_NS = -(2**63)
"""An instant before every deadline: what is over by then is over for another reason than the time."""


class Speaking(Line):
    """A line with a microphone."""

    def __init__(self, plan: CallPlan, dialect: Dialect, observer: Observer) -> None:
        super().__init__(plan, dialect, observer)
        self._ended_turns = EndedTurns(
            self.timeline,
            self.tracker,
            hand_over=self._hand_over,
            lost_ns=self._lost_ns,
            read_up=self._read_up,
            undecided=lambda turn: self._barge_in.undecided(turn.index, time.monotonic_ns()),
        )
        self._frames = plan.frames
        if dialect.numbers_frames:
            self._frames = plan.frames.for_call(_as_it_is)
        elif not dialect.shares_frames:
            self._frames = plan.frames.for_call(self._pack_audio)
        self._talking = False
        self._in_turn = False
        """What the microphone plays is a turn, and no sound beside one."""
        self._microphone: Microphone | None = None
        self._pacer: Pacer | None = None

    # verbs of a step

    def say(self, fixture: Fixture, *, step: int, onset_ns: int | None = None) -> TurnFacts:
        """Begin to speak `fixture` and return at once; `await_reply` ends the turn. `step` is for the row.

        `onset_ns`: the speech in it begins then, or up to a frame later; None: as soon as can be.
        """
        assert self._pacer is not None
        utterance, t0_ns = self._speak(fixture, onset_ns)
        self._in_turn = True
        phase = self._plan.phases.at(t0_ns)
        self._set_talking(True)
        turn = TurnFacts(
            index=len(self.timeline.turns),
            step=step,
            step_id=self._plan.step_ids[step] if step < len(self._plan.step_ids) else None,
            fixture=utterance.fixture,
            t0_ns=t0_ns,
            speech_start_ns=t0_ns + utterance.speech_start_ns,
            speech_end_ns=t0_ns + utterance.speech_end_ns,
            utterance_end_ns=t0_ns + utterance.duration_ns,
            reference=utterance.reference,
            language=utterance.language,
            accent=utterance.accent,
            voice=utterance.voice,
            caller_kind=utterance.caller,
            condition=utterance.condition,
            word_ends_ns=_from(t0_ns, utterance.word_ends_ns),
            phase=phase.name,
            warmup=phase.warmup,
            open_sessions=self._observer.open_sessions,
            talking_sessions=self._observer.talking_sessions,
        )
        self.tracker.begin(turn)
        self._barge_in.turn_begins(turn)
        for message in self.dialect.start_of_turn(turn.index):
            self.send(message)
        self._pacer.resume()
        return turn

    def _speak(self, fixture: Fixture, onset_ns: int | None) -> tuple[Utterance, int]:
        """Put `fixture` on the microphone's clock; its speech begins at `onset_ns` or later."""
        assert self._microphone is not None
        utterance = self._frames.utterance(fixture, self.dialect.input_format)
        not_before_ns = None if onset_ns is None else onset_ns - utterance.speech_start_ns
        t0_ns = self._microphone.speak(utterance, time.monotonic_ns(), not_before_ns=not_before_ns)
        self._in_turn = False
        if self._tape is not None:
            self._tape.say(fixture, t0_ns, utterance.duration_ns)
        return utterance, t0_ns

    def await_reply(self, turn: TurnFacts) -> None:
        """Wait until `turn` is over: answered, refused, timed out, or cut off with the call."""
        while turn.end is None:
            again_ns = self._judge(turn)
            if turn.end is None:
                self._sleep_until(again_ns)
        self._report()

    def _judge(self, turn: TurnFacts) -> int:
        """End `turn` if it is over; else when to look again."""
        assert self._microphone is not None
        tracker = self.tracker
        lost = self._lost_ns(turn.speech_end_ns)
        awake_ns = time.monotonic_ns() - lost
        turn_over = tracker.over(awake_ns)
        if turn_over is not None and tracker.over(_NEVER_NS) is None:
            self._read_up()
            turn_over = tracker.over(awake_ns)
        if turn_over == "completed" and self._microphone.speaking:
            turn_over = None
        # Asked for last: a server may hang up once all was answered, also in the same breath.
        ended = turn_over != "completed" and self._ended("turn")
        if turn_over is not None:
            self._end(turn, turn_over)
        elif ended or self.timeline.stopped:
            self._end(turn, "stopped" if self.timeline.stopped else "closed")
        return tracker.next_check_ns(awake_ns) + lost

    def hear_out(self) -> None:
        """Be silent until the caller has heard all that the server has sent, or has had enough of it."""
        self.idle_until(min(self._listener.end_ns, time.monotonic_ns() + self._plan.bounds.playback_ns))

    # the microphone

    def _open_microphone(self, channel: Channel) -> None:
        bank, dialect = self._frames, self.dialect
        self._microphone = Microphone(
            frame_ns=bank.frame_ns,
            idle=bank.idle(dialect.input_format),
            continuous=not dialect.manual,
            phase_ns=phase_of(self._plan.labels.session_index, bank.frame_ns),
        )
        self._microphone.open(time.monotonic_ns())
        pack = self._pack_audio if dialect.numbers_frames else None
        self._pacer = Pacer(channel, self._microphone, self, pack=pack)
        self._pacer.resume()

    def _pack_audio(self, payload: bytes) -> bytes:
        return pack_audio(self._plan.transport, self.dialect, payload)

    def _set_talking(self, talking: bool) -> None:
        """Count this caller among those who speak, once."""
        self._observer.talking_sessions += talking - self._talking
        self._talking = talking

    @property
    def _speaking(self) -> bool:
        return self._microphone is not None and self._microphone.speaking

    def frame_sent(self, due_ns: int, late_us: int, *, last: bool) -> None:
        """As `Speaker`."""
        self.timeline.frames_sent += 1
        self._observer.delays.frame_late_us.append(late_us)
        turn = self.tracker.current
        if turn is None:
            return
        if turn.end is None and due_ns > turn.t0_ns:
            turn.frame_late_us.append(late_us)
            turn.frames += 1
        if last and self._in_turn:
            self._finish_utterance(turn)

    def sending_failed(self, failure: Failure) -> None:
        """As `Speaker`."""
        gevent.spawn(self._fail_unless_told, failure)

    def _fail_unless_told(self, failure: Failure) -> None:
        """Of a connection that is gone, what arrived last says more than what could not be sent: it is read first."""
        if failure.error_kind == "closed":
            self._read_up()
        if self._closed is None:
            self._fail(failure)
        self._changed.set()

    def _finish_utterance(self, turn: TurnFacts) -> None:
        self._set_talking(False)
        for message in self.dialect.end_of_turn(turn.index):
            if turn.commit_ns is None:
                # Before it is sent: a server on this machine answers before the kernel comes back to us.
                turn.commit_ns = time.monotonic_ns()
            self.send(message)
            turn.response_request_ns = time.monotonic_ns()

    # turns that ended

    def _end(self, turn: TurnFacts, end: TurnEnd) -> None:
        turn.end, turn.ended_ns = end, time.monotonic_ns()
        turn.phase_ended = self._plan.phases.at(turn.ended_ns).name
        self._set_talking(False)
        if end == "closed":
            turn.failure = self.timeline.failure
        elif end == "error" and self.tracker.refusal is not None:
            turn.failure = self.tracker.refusal.as_failure("turn")
        elif end in {"reply_timeout", "response_timeout"}:
            message = "no reply in time" if end == "reply_timeout" else "the reply stopped before it was complete"
            error = self.tracker.turn_error
            turn.failure = error.as_failure("turn") if error is not None else Failure("timeout", "turn", end, message)
            self._fail(turn.failure)
        self._ended_turns.add(turn)

    def _await_transcriptions(self) -> None:
        """Late transcriptions have their bound from the end of their turn; the call stays open for them."""
        while (due_ns := self._ended_turns.next_due_ns) is not None and not self.timeline.stopped:
            if self._closed is not None:
                return
            self._report()
            if self._ended_turns.next_due_ns is not None:
                self._sleep_until(due_ns)

    def _report(self, *, everything: bool = False) -> None:
        self._ended_turns.report(everything=everything)

    def _hand_over(self, turn: TurnFacts) -> None:
        self._observer.turn_ended(self.timeline, turn)
        shared_alarm().catch_up()


def _from(t0_ns: int, positions_ns: tuple[int, ...] | None) -> list[int] | None:
    return None if positions_ns is None else [t0_ns + position for position in positions_ns]


def _as_it_is(payload: bytes) -> bytes:
    """For frames that are made ready when they are sent."""
    return payload
