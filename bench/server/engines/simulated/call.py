"""One simulated call: frames and messages in, events out at their times.

The session (`bench.server.protocol`) decides what is sent and in which order; this decides when, and what goes wrong.
In: audio frames with arrival stamps, client messages, deadlines. Out: messages on a `Wire`, lines in the truth log.
Trap: an endpoint is due relative to the *true* end of speech, known only when the recording was recognised, some
silence later; a deadline that has passed by then is met at once, and the log says when.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

import orjson

from bench.server.deadlines import Deadline
from bench.server.engines.simulated.ear import Sound
from bench.server.engines.simulated.faults import Struck
from bench.server.engines.simulated.hearing import SimulatedInput
from bench.server.engines.simulated.playing import Playing
from bench.server.engines.simulated.recognise import reduced
from bench.server.engines.simulated.script import (
    RATE_LIMITED,
    Act,
    failed,
    reply_script,
    with_faults,
)
from bench.server.engines.simulated.transcripts import Transcripts
from bench.server.engines.simulated.turn import Turn, greeting, new_turn
from bench.server.protocol.commands import (
    CloseSocket,
    Command,
    CommitTake,
    ReplyRequest,
    SetIdleTimer,
    StartReply,
    Step,
    StopReply,
)
from bench.server.protocol.input_audio import Outcome, SpeechStarted, SpeechStopped
from bench.server.protocol.session import Session

if TYPE_CHECKING:
    from bench.server.engines.simulated.engine import SimulatedEngine

NS_PER_MS = 1_000_000
EARLY_AFTER_MS = 700
SPLIT_AFTER_MS = 800
SPLIT_PAUSE_MS = 250
THOROUGH_AFTER_MS = 400


class Wire(Protocol):
    """The connection of a call."""

    def send_text(self, data: bytes) -> None:
        """Write one message."""

    def close(self, code: int, reason: str) -> None:
        """Closing handshake, then the end of the connection."""

    def drop(self, *, reset: bool) -> None:
        """End the connection without one."""


class Call:
    """One connection's session; `number` counts the sessions of the server and seeds this one's draws."""

    def __init__(
        self,
        engine: SimulatedEngine,
        wire: Wire,
        session: Session,
        hearing: SimulatedInput,
        *,
        number: int,
        struck: Struck,
        lifetime_s: float,
    ) -> None:
        self.engine = engine
        self.session = session
        self.number = number
        self.turn: Turn | None = None
        self._wire = wire
        self._hearing = hearing
        hearing.listen = self.hear
        self._turns = 0
        self._timers: set[Deadline] = set()
        self._playing: dict[str, Playing] = {}
        self._transcripts = Transcripts(self)
        self._idle: Deadline | None = None
        self._split_item = False
        if (fault := struck.get("expire")) is not None:
            lifetime_s = fault.delay_ms(1_000) / 1000
        self.later(time.monotonic_ns() + round(lifetime_s * 1e9), lambda: self.apply(session.expire()))

    # -- in

    def open(self) -> None:
        """Send what a session begins with."""
        self.apply(self.session.open())

    def hear(self, data: bytes, at_ns: int) -> None:
        """One frame of caller audio, as bytes of the session's input format."""
        sound = self._hearing.ear.feed(data, at_ns)
        if sound is not Sound.NOTHING:
            if sound is Sound.ONSET:
                self._speech_began(at_ns)
            else:
                self._quiet()

    def text(self, message: bytes) -> None:
        """Any other client message."""
        self.apply(self.session.handle_text(message))

    def ended(self) -> None:
        """The connection is gone: nothing more happens."""
        if self.turn is not None:
            self._log(self.turn)
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
        for playing in list(self._playing.values()):
            playing.stop()
        if self._idle is not None:
            self._idle.cancel()

    def close(self, code: int, reason: str) -> None:
        self._wire.close(code, reason)

    # -- out

    def apply(self, step: Step, audio: tuple[int, int] | None = None) -> None:
        """Send a step's events, then carry out its commands; `audio` describes its audio delta."""
        for event in step.events:
            self.send(event, audio)
        for command in step.commands:
            self._carry_out(command)

    def send(self, event: dict[str, Any], audio: tuple[int, int] | None = None) -> None:
        """Write one event; the stamp is taken right before the write."""
        struck = self.turn.struck if self.turn is not None else None
        kind = event["type"]
        if kind == "response.done" and struck is not None and "missing_usage" in struck:
            event = {**event, "response": {key: value for key, value in event["response"].items() if key != "usage"}}
        data = orjson.dumps(event)
        facts = audio if kind == "response.output_audio.delta" else None
        for _ in range(2 if struck is not None and "duplicate_events" in struck else 1):
            at_ns = time.monotonic_ns()
            self._wire.send_text(data)
            self.engine.truth.event(self.session.id, at_ns, len(data), event, facts)
        if kind == "response.done":
            self._transcripts.response_done()

    def send_raw(self, data: bytes, what: str) -> None:
        """Write bytes that are no event."""
        at_ns = time.monotonic_ns()
        self._wire.send_text(data)
        self.engine.truth.raw(self.session.id, at_ns, len(data), what)

    def hang_up(self, code: int | None, *, reset: bool) -> None:
        """End the connection the way a fault asks for."""
        if code is None:
            self._wire.drop(reset=reset)
        else:
            self._wire.close(code, "simulated fault")

    def later(self, due_ns: int, callback: Any) -> Deadline:
        """A deadline that ends with the call."""

        def ring() -> None:
            self._timers.discard(timer)
            callback()

        timer = self.engine.deadlines.at(due_ns, ring)
        self._timers.add(timer)
        return timer

    # -- the caller's turn

    def _speech_began(self, at_ns: int) -> None:
        ear, turn = self._hearing.ear, self.turn
        if turn is None or turn.committed:
            if turn is not None:
                self._log(turn)
            turn = self.turn = new_turn(
                self.engine.profile,
                self.number,
                self._turns,
                onset=ear.onset,
                open_sessions=self.engine.open_sessions,
            )
            self._turns += 1
            if not self._hearing.manual:
                self._arrange_faults(turn, at_ns)
        if not self._hearing.manual:
            started = SpeechStarted(round(self._hearing.ms(self._hearing.lead_in(ear.onset))))
            self.apply(self.session.heard([started]))

    def _arrange_faults(self, turn: Turn, at_ns: int) -> None:
        if (fault := turn.struck.get("early_reply")) is not None:
            self.later(at_ns + fault.after_ms(EARLY_AFTER_MS) * NS_PER_MS, lambda: self._endpoint(turn, early=True))
        elif (fault := turn.struck.get("split_turn")) is not None:
            self.later(at_ns + fault.after_ms(SPLIT_AFTER_MS) * NS_PER_MS, lambda: self._split(turn))

    def _quiet(self) -> None:
        """The caller is silent: find out what was said, and when the turn is over."""
        turn, ear, profile = self.turn, self._hearing.ear, self.engine.profile
        if turn is None or turn.ended:
            return
        self._recognise(turn)
        waited = ear.quiet_ms >= profile.recognition.unknown_after
        if turn.match is None and not waited:
            return
        if turn.end_position is not None and ear.position < turn.end_position:
            return  # a pause inside of a known recording
        if self._hearing.manual:
            return
        turn.ended = True
        if turn.committed:  # an early reply was given
            self._log(turn)
            ear.forget()
            self._transcripts.heard(turn)
            return
        assert turn.end_ns is not None
        due_ns = turn.end_ns + round(turn.plan.endpoint_ms * NS_PER_MS)
        turn.endpoint = self.later(due_ns, lambda: self._endpoint(turn))

    def _recognise(self, turn: Turn) -> None:
        """Compare what was heard up to the last speech with the catalogue, unless that was done before."""
        ear, profile = self._hearing.ear, self.engine.profile
        thorough = self._hearing.manual or ear.quiet_ms >= THOROUGH_AFTER_MS
        waited = ear.quiet_ms >= profile.recognition.unknown_after
        if turn.asked == (ear.last_active, thorough, waited):
            return
        turn.asked = (ear.last_active, thorough, waited)
        heard = reduced(ear.before(ear.last_active), ear.rate_hz)
        speech_ms = (ear.last_active - turn.onset) * 1000 / ear.rate_hz
        match = self.engine.recogniser.ended(heard, speech_ms, thorough=thorough)
        if match is None and turn.match is not None:
            return  # it was recognised at an earlier pause, and its end is known since then
        if match is None and waited:
            match = self.engine.recogniser.inside(heard, speech_ms)
        offset_ms = match.end_offset_ms if match is not None else 0.0
        end = ear.last_active + offset_ms * ear.rate_hz / 1000
        turn.hear_as(match, end, ear.captured_ns(end))

    def _endpoint(self, turn: Turn, *, early: bool = False) -> None:
        if turn is not self.turn or turn.committed or self._hearing.manual:
            return
        hearing = self._hearing
        outcomes: list[Outcome] = [SpeechStopped(round(hearing.ms(hearing.ear.position)))]
        outcomes.append(hearing.take(hearing.lead_in(turn.onset)))
        self.apply(self.session.heard(outcomes))
        if not early or turn.ended:  # early before the end of speech: it is still to be heard
            self._log(turn)
            hearing.ear.forget()

    def _split(self, turn: Turn) -> None:
        """End the turn in its middle, then hear the caller go on."""
        if turn is not self.turn or turn.committed or turn.ended:
            return
        hearing = self._hearing
        self._split_item = True
        stopped = SpeechStopped(round(hearing.ms(hearing.ear.position)))
        self.apply(self.session.heard([stopped, hearing.take(hearing.lead_in(turn.onset))]))
        self._split_item = False

        def resume() -> None:
            if turn is self.turn and not turn.committed:
                self.apply(self.session.heard([SpeechStarted(round(hearing.ms(hearing.ear.position)))]))

        self.later(time.monotonic_ns() + SPLIT_PAUSE_MS * NS_PER_MS, resume)

    # -- commands

    def _carry_out(self, command: Command) -> None:
        match command:
            case CommitTake(take_id, transcribe):
                self._committed(take_id, transcribe)
            case StartReply(request):
                self._start_reply(request)
            case StopReply(response_id):
                if (playing := self._playing.pop(response_id, None)) is not None:
                    playing.stop()
            case SetIdleTimer(after_ms):
                if self._idle is not None:
                    self._idle.cancel()
                    self._idle = None
                if after_ms is not None:
                    self._idle = self.engine.deadlines.after(after_ms / 1000, lambda: self.apply(self.session.idle()))
            case CloseSocket(code, reason):
                self._wire.close(code, reason)
            case _:  # audio and takes are the ear's business
                pass

    def _committed(self, take_id: str, transcribe: bool) -> None:
        now_ns = time.monotonic_ns()
        hearing, turn = self._hearing, self.turn
        if turn is None or turn.committed:  # a commit of silence
            self.turn = turn = self._silent_turn(now_ns)
        turn.items.append(take_id)
        if transcribe:
            turn.transcribed.append(take_id)
        if self._split_item:
            return
        turn.committed, turn.commit_ns = True, now_ns
        if hearing.manual:
            if not turn.ended and hearing.ear.speaking:
                self._recognise(turn)
            if turn.end_ns is None:
                turn.hear_as(None, hearing.ear.position, now_ns)
            turn.ended = True
            self._log(turn)
            hearing.ear.forget()
        if turn.transcribed:
            self._transcripts.schedule(turn, now_ns)

    def _silent_turn(self, now_ns: int) -> Turn:
        ear = self._hearing.ear
        turn = new_turn(
            self.engine.profile, self.number, self._turns, onset=ear.position, open_sessions=self.engine.open_sessions
        )
        self._turns += 1
        turn.hear_as(None, ear.position, now_ns)
        turn.ended = True
        return turn

    # -- the reply

    def _start_reply(self, request: ReplyRequest) -> None:
        if self._split_item:
            self._playing[request.response_id] = Playing(self, request.response_id, None, 0, [])
            return
        now_ns = time.monotonic_ns()
        turn = self.turn
        if turn is None or turn.done or not turn.committed:
            turn = greeting(self.engine.profile, self.number, open_sessions=self.engine.open_sessions)
            turn.end_ns = now_ns
        reserved, refusal = self.engine.allowance.reserve(request.max_output_tokens)
        acts, base_ns = self._script(turn, request, now_ns)
        if refusal is not None:
            acts = [Act(0.0, failed(RATE_LIMITED, RATE_LIMITED, refusal))]
        playing = Playing(self, request.response_id, turn, base_ns, acts, reserved)
        self._playing[request.response_id] = playing
        playing.go_on()

    def _script(self, turn: Turn, request: ReplyRequest, now_ns: int) -> tuple[list[Act], int]:
        """The acts of a reply and the instant that their times count from."""
        profile, plan = self.engine.profile, turn.plan
        own = profile.replies.get(turn.match.fixture.id) if turn.match is not None else None
        if own is not None:
            length = own.length
            plan = replace(plan, text=own.text, reply_ms=plan.reply_ms if length is None else length.draw_ms(turn.rng))
        acts = with_faults(reply_script(plan, request.output_format, spoken=request.modality == "audio"), turn.struck)
        base_ns = turn.end_ns
        if "early_reply" in turn.struck and not turn.ended:
            base_ns = now_ns - round(min(plan.first_token_ms, plan.first_audio_ms) * NS_PER_MS)
        elif base_ns is None or (profile.delays_from == "commit" and self._hearing.manual):
            base_ns = turn.commit_ns or now_ns
        return acts, base_ns

    def response_over(self, playing: Playing) -> None:
        """A reply has been played to its end."""
        self._playing.pop(playing.response_id, None)
        if playing.turn is not None:
            playing.turn.done = True

    def settle(self, tokens: int) -> list[dict[str, Any]]:
        """The session's question what is left of the allowance, after a response of so many tokens."""
        reserved = sum(playing.give_back() for playing in self._playing.values())
        return self.engine.allowance.settle(reserved, tokens)

    def _log(self, turn: Turn) -> None:
        if not turn.logged and self.engine.truth.wanted:
            turn.logged = True
            self.engine.truth.turn(self.session.id, **turn.record(self._hearing.ear, self.engine.profile))
