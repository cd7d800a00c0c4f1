"""The simulated engine: hears turns in the callers' audio, and sends what its profile says at its times.

The session (`bench.server.protocol`) decides what is sent and in which order; this decides when, and what goes wrong.
In: audio frames with arrival stamps, commands of the session, deadlines. Out: actions of the session, applied by the
handler, and turns in the truth log.
Trap: an endpoint is due relative to the *true* end of speech, known only when the recording was recognised, some
silence later; a deadline that has passed by then is met at once, and the log says when.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from bench.audio.catalogue import load_catalogue, shipped_catalogue, shipped_sounds
from bench.audio.formats import AudioFormat
from bench.audio.level_detector import Activity
from bench.audio.recording_matcher import RecordingMatcher, reduced
from bench.audio.word_times import word_times
from bench.server.allowance import Allowance
from bench.server.engines.base import EngineSession, Handler
from bench.server.engines.simulated.captions import Captions
from bench.server.engines.simulated.faults import NO_FAULTS, session_faults
from bench.server.engines.simulated.profile import Profile
from bench.server.engines.simulated.reactions import AGAIN_MS, spoken_into
from bench.server.engines.simulated.reply_plan import ScheduledAction, reply_actions, with_faults
from bench.server.engines.simulated.scheduled_reply import ScheduledReply
from bench.server.engines.simulated.simulated_input import SimulatedInput
from bench.server.engines.simulated.tool_calls import answering_plan, calling_actions, has_tools
from bench.server.engines.simulated.transcripts import Transcripts
from bench.server.engines.simulated.turn import Turn, greeting, new_turn, unasked_greeting
from bench.server.protocol.commands import Event, ReplyRequest
from bench.server.protocol.config import Json
from bench.server.protocol.input_audio import InputEvent, SpeechBegan, SpeechEnded
from bench.server.protocol.responses import Ending

NS_PER_MS = 1_000_000
EARLY_AFTER_MS = 700
SPLIT_AFTER_MS = 800
SPLIT_PAUSE_MS = 250
THOROUGH_AFTER_MS = 400
RATE_LIMITED = "rate_limit_exceeded"


class SimulatedEngine:
    """What the sessions of one process share. Made before the loop runs, because recordings are read."""

    name = "simulated"

    def __init__(self, profile: Profile, *, process: int = 0, processes: int = 1) -> None:
        self.profile = profile
        self.default_model = profile.model
        self._process = {"process": process, "processes": processes}
        self.settings: Mapping[str, Any] = {"profile": profile.model_dump(mode="json"), **self._process}
        own = load_catalogue(profile.catalogue or shipped_catalogue()).fixtures
        fixtures = {**load_catalogue(shipped_sounds()).fixtures, **own}.values()
        self.matcher = RecordingMatcher(fixtures, confidence=profile.recognition.confidence)
        # Some seconds of work, which a server without captions has no use for.
        found = {each.id: word_times(each) for each in own.values()} if profile.captions is not None else {}
        self.word_times = {name: times for name, times in found.items() if times is not None}
        limits = profile.limits
        self.session_lifetime_s = limits.session_lifetime / 1000 if limits.session_lifetime is not None else None
        self.allowance = Allowance(
            limits.requests_per_min, limits.tokens_per_min, limits.reserve_tokens, told=limits.told
        )
        self.open_sessions = 0
        self.sessions: list[SimulatedSession] = []

    async def start(self) -> None:
        """Everything was read before."""

    async def stop(self) -> None:
        """Nothing runs beside the sessions."""

    def session(self, handler: Handler, number: int) -> SimulatedSession:
        return SimulatedSession(self, handler, number)

    def health(self) -> dict[str, Any]:
        return {"profile": self.profile.name, **self._process}


class SimulatedSession(EngineSession):
    """`number` counts the sessions of the server and seeds this one's draws."""

    retained_audio_bytes = 0

    def __init__(self, engine: SimulatedEngine, handler: Handler, number: int) -> None:
        super().__init__(handler, engine.allowance)
        self._engine = engine
        self._profile = engine.profile
        self._number = number
        self._turn: Turn | None = None
        self._answered: Turn | None = None
        """The turn before: the one that is being answered while a sound is heard."""
        self._turns = 0
        self._replies: dict[str, ScheduledReply] = {}
        self._newest: ScheduledReply | None = None
        self._transcripts = Transcripts(handler, engine.profile)
        self._captions = Captions(
            handler,
            engine.profile.captions,
            engine.profile.transcription.errors.model_dump(),
            engine.matcher,
            engine.word_times,
            seed=f"{engine.profile.seed}/{number}",
        )
        self._splitting = False
        self._configured = False
        self._greeting: Turn | None = None
        """What is said unasked, until it has begun."""
        faults = session_faults(engine.profile.faults, engine.profile.seed, number)
        self.facts = {"faults": list(faults)}
        engine.open_sessions += 1
        engine.sessions.append(self)
        limits = engine.profile.limits
        if limits.notice and limits.session_lifetime is not None:
            left_ms = limits.notice
            self._in_ms(limits.session_lifetime - left_ms, lambda: handler.apply(handler.session.announce_end(left_ms)))
        if (fault := faults.get("expire")) is not None:
            self._in_ms(fault.delay_ms(1_000), lambda: handler.apply(handler.session.expire()))

    def input_audio(self, audio_format: AudioFormat, turn_detection: Json | None) -> SimulatedInput:
        self._input = SimulatedInput(
            audio_format, turn_detection, ask_ms=self._profile.recognition.silence, noticed=self._noticed
        )
        return self._input

    def open_input(self, item_id: str, rate_hz: int) -> None:
        turn = self._turn
        if turn is not None and not turn.committed and not self._input.manual:
            self._captions.begin(turn, item_id, self._input.detector)

    def outgoing(self, event: Event) -> Iterable[Event]:
        """The event as the faults of the turn change it."""
        if not self._configured and event["type"] == "session.updated":
            self._configured = True
            self._greet()
        faults = self._turn.faults if self._turn is not None else NO_FAULTS
        if not faults:
            return (event,)
        if "missing_usage" in faults and event["type"] == "response.done":
            event = {**event, "response": {key: value for key, value in event["response"].items() if key != "usage"}}
        return (event, event) if "duplicate_events" in faults else (event,)

    def close(self) -> None:
        self._engine.open_sessions -= 1
        self._engine.sessions.remove(self)
        if self._turn is not None:
            self._log(self._turn)

    # -- the caller's turn

    def _noticed(self, activity: Activity, at_ns: int) -> Sequence[InputEvent]:
        if activity is Activity.ONSET:
            return self._speech_began(at_ns)
        self._quiet()
        return ()

    def _speech_began(self, at_ns: int) -> Sequence[InputEvent]:
        audio, turn = self._input, self._turn
        if turn is None or turn.committed:
            if turn is not None:
                self._log(turn)
            turn = self._next_turn(audio.detector.onset)
            if not audio.manual:
                self._arrange_faults(turn, at_ns)
        if audio.manual:
            return ()
        assert self._turn is not None
        into = self._turn.spoken_into
        if into is None or into.noticed_ns is not None:
            return self._began(self._turn)
        noticed = self._turn
        due_ns = into.onset_ns + round(into.reaction_ms * NS_PER_MS)
        self.handler.later(due_ns, lambda: self._notice(noticed))
        return ()

    def _notice(self, turn: Turn) -> None:
        """The reaction to a caller who speaks into a reply is due, once the sound has lasted long enough."""
        into = turn.spoken_into
        if turn is not self._turn or turn.committed or into is None or into.noticed_ns is not None:
            return
        if into.lasted(self._input.detector.speech_ms):
            self.handler.apply(self.handler.session.heard(self._began(turn)))
        else:
            self._in_ms(AGAIN_MS, lambda: self._notice(turn))

    def _ignore(self, turn: Turn) -> None:
        """It was a short sound: go on as if nothing had been heard."""
        assert turn.spoken_into is not None
        turn.spoken_into.ignored = True
        self._log(turn)
        self._input.detector.forget()
        self._turn = self._answered

    def _began(self, turn: Turn) -> list[InputEvent]:
        """`speech_started`, unless it was said of this turn before."""
        if turn.spoken_into is not None:
            if turn.spoken_into.noticed_ns is not None:
                return []
            turn.spoken_into.noticed_ns = time.monotonic_ns()
        return [SpeechBegan(round(self._input.ms(self._input.lead_in(turn.onset))))]

    def _next_turn(self, onset: int) -> Turn:
        number, self._turns = self._turns, self._turns + 1
        turn = new_turn(
            self._profile,
            self._number,
            number,
            onset=onset,
            open_sessions=self._engine.open_sessions,
            eagerness=self._input.eagerness,
        )
        reply, detector = self._newest, self._input.detector
        turn.spoken_into = spoken_into(
            self._profile,
            self._number,
            number,
            reply,
            onset_ns=detector.captured_ns(onset) if detector.position else time.monotonic_ns(),
            sending=reply is not None and reply.response_id in self._replies,
            open_sessions=self._engine.open_sessions,
        )
        self._answered, self._turn = self._turn, turn
        return turn

    def _arrange_faults(self, turn: Turn, at_ns: int) -> None:
        later = self.handler.later
        if (fault := turn.faults.get("early_reply")) is not None:
            later(at_ns + fault.after_ms(EARLY_AFTER_MS) * NS_PER_MS, lambda: self._endpoint(turn, early=True))
        elif (fault := turn.faults.get("split_turn")) is not None:
            later(at_ns + fault.after_ms(SPLIT_AFTER_MS) * NS_PER_MS, lambda: self._split(turn))

    def _quiet(self) -> None:
        """The caller is silent: find out what was said, and when the turn is over."""
        turn, detector = self._turn, self._input.detector
        if turn is None or turn.ended:
            return
        self._recognise(turn)
        waited = detector.quiet_ms >= self._profile.recognition.unknown_after
        if turn.match is None and not waited:
            return
        if turn.end_position is not None and detector.position < turn.end_position:
            return  # a pause inside of a known recording
        if self._input.manual:
            return
        into = turn.spoken_into
        if into is not None and into.noticed_ns is None and not into.lasted(detector.speech_ms):
            self._ignore(turn)
            return
        turn.ended = True
        if turn.committed:  # an early reply was given
            self._log(turn)
            detector.forget()
            self._transcripts.heard(turn)
            return
        assert turn.end_ns is not None
        due_ns = turn.end_ns + round(turn.plan.endpoint_ms * NS_PER_MS)
        self.handler.later(due_ns, lambda: self._endpoint(turn))

    def _recognise(self, turn: Turn) -> None:
        """Compare what was heard up to the last speech with the catalogue, unless that was done before."""
        detector, matcher = self._input.detector, self._engine.matcher
        thorough = self._input.manual or detector.quiet_ms >= THOROUGH_AFTER_MS
        waited = detector.quiet_ms >= self._profile.recognition.unknown_after
        if turn.asked == (detector.last_active, thorough, waited):
            return
        turn.asked = (detector.last_active, thorough, waited)
        heard = reduced(detector.before(detector.last_active), detector.rate_hz)
        speech_ms = (detector.last_active - turn.onset) * 1000 / detector.rate_hz
        match = matcher.ended(heard, speech_ms, thorough=thorough)
        if match is None and turn.match is not None:
            return  # it was recognised at an earlier pause, and its end is known since then
        if match is None and waited:
            match = matcher.inside(heard, speech_ms)
        offset_ms = match.end_offset_ms if match is not None else 0.0
        end = detector.last_active + offset_ms * detector.rate_hz / 1000
        turn.recognised(match, end, detector.captured_ns(end))
        self._captions.known(turn)

    def _endpoint(self, turn: Turn, *, early: bool = False) -> None:
        if turn is not self._turn or turn.committed or self._input.manual:
            return
        self._end_speech(turn)
        if not early or turn.ended:  # early before the end of speech: it is still to be heard
            self._log(turn)
            self._input.detector.forget()

    def _end_speech(self, turn: Turn) -> None:
        audio = self._input
        began = self._began(turn) if turn.spoken_into is not None else []
        ended: list[InputEvent] = [*began, SpeechEnded(audio.now_ms), audio.take(audio.lead_in(turn.onset))]
        self.handler.apply(self.handler.session.heard(ended))

    def _split(self, turn: Turn) -> None:
        """End the turn in its middle, then hear the caller go on."""
        if turn is not self._turn or turn.committed or turn.ended:
            return
        self._splitting = True
        self._end_speech(turn)
        self._splitting = False

        def resume() -> None:
            if turn is self._turn and not turn.committed:
                self.handler.apply(self.handler.session.heard([SpeechBegan(self._input.now_ms)]))

        self._in_ms(SPLIT_PAUSE_MS, resume)

    def commit_input(self, item_id: str, *, transcribe: bool) -> None:
        now_ns = time.monotonic_ns()
        audio, turn = self._input, self._turn
        if turn is None or turn.committed:  # a commit of silence
            turn = self._next_turn(audio.detector.position)
            turn.recognised(None, audio.detector.position, now_ns)
            turn.ended = turn.silence = True
        turn.items.append(item_id)
        if transcribe:
            turn.transcribed.append(item_id)
        if self._splitting:
            return
        turn.committed, turn.commit_ns = True, now_ns
        if "cross_talk" in turn.faults:
            self._mix_up(turn)
        if audio.manual:
            if not turn.ended and audio.speaking:
                self._recognise(turn)
            if turn.end_ns is None:
                turn.recognised(None, audio.detector.position, now_ns)
            turn.ended = turn.silence = True
            self._log(turn)
            audio.detector.forget()
        if turn.transcribed:
            self._transcripts.schedule(turn, now_ns, self._engine.open_sessions)

    def _mix_up(self, turn: Turn) -> None:
        """Give the turn the words of another call that is open now and asks something else."""
        for other in self._engine.sessions:
            theirs = other._turn
            if other is self or theirs is None or theirs.match is None or turn.match is None:
                continue
            if theirs.match.fixture.text != turn.match.fixture.text:
                turn.words_of, turn.words_of_session = theirs.match, other._number
                return

    # -- the reply

    def _greet(self) -> None:
        """Speak first, where the profile says so."""
        found = unasked_greeting(self._profile, self._number, open_sessions=self._engine.open_sessions)
        if found is None:
            return

        def speak() -> None:
            if self._turn is None:  # the caller was faster
                self._greeting = found[1]
                self.handler.apply(self.handler.session.speak())
                self._greeting = None

        self._in_ms(found[0], speak)

    def start_reply(self, request: ReplyRequest) -> None:
        response_id, now_ns = request.response_id, time.monotonic_ns()
        if self._splitting:
            self._replies[response_id] = ScheduledReply(self.handler, response_id, [], now_ns)
            return
        turn = self._turn
        goes_on = bool(request.tool_results) and turn is not None and turn.rounds > 0
        if self._greeting is not None or turn is None or (turn.done and not goes_on) or not turn.committed:
            turn = self._greeting or greeting(self._profile, self._number, open_sessions=self._engine.open_sessions)
            turn.end_ns = now_ns
        reserved, refusal = self.allowance.reserve(request.max_output_tokens)
        actions, base_ns = self._plan(turn, request, now_ns)
        if refusal is not None:
            actions = [ScheduledAction(0.0, Ending.failed(RATE_LIMITED, RATE_LIMITED, refusal))]

        def over() -> None:
            self._replies.pop(response_id, None)
            turn.done = True

        reply = ScheduledReply(self.handler, response_id, actions, base_ns, reserved=reserved, over=over)
        self._replies[response_id] = self._newest = reply
        reply.go_on()

    def stop_reply(self, response_id: str) -> None:
        if (reply := self._replies.pop(response_id, None)) is not None:
            reply.stop()

    def rate_limits(self, tokens: int) -> list[dict[str, Any]]:
        reserved = 0
        for reply in self._replies.values():
            reserved += reply.reserved
            reply.reserved = 0
        self._transcripts.response_done()
        return self.allowance.settle(reserved, tokens)

    def _plan(self, turn: Turn, request: ReplyRequest, now_ns: int) -> tuple[list[ScheduledAction], int]:
        """The actions of a reply and the instant that their times count from."""
        profile, plan = self._profile, turn.plan
        match = turn.given("reply")
        own = profile.replies.get(match.fixture.id) if match is not None else None
        if own is not None:
            length = own.length
            plan = replace(plan, text=own.text, reply_ms=plan.reply_ms if length is None else length.draw_ms(turn.rng))
        spoken = request.modality == "audio"
        goes_on = turn.rounds > 0 and bool(request.tool_results)
        calls = turn.tools is not None and has_tools(request.tools) and turn.rounds < turn.tools.rounds
        if turn.tools is not None and calls:
            actions = calling_actions(plan, turn.tools, request.output_format, done=turn.rounds, spoken=spoken)
            turn.rounds += 1
        else:
            if turn.tools is not None and goes_on:
                plan = answering_plan(plan, turn.tools)
            actions = reply_actions(plan, request.output_format, spoken=spoken)
        if goes_on:
            return actions, now_ns
        base_ns = turn.end_ns
        if "early_reply" in turn.faults and not turn.ended:
            base_ns = now_ns - round(min(plan.first_token_ms, plan.first_audio_ms) * NS_PER_MS)
        elif base_ns is None or (profile.delays_from == "commit" and self._input.manual):
            base_ns = turn.commit_ns or now_ns
        return with_faults(actions, turn.faults), base_ns

    # -- helpers

    def _in_ms(self, delay_ms: float, callback: Any) -> None:
        self.handler.later(time.monotonic_ns() + round(delay_ms * NS_PER_MS), callback)

    def _log(self, turn: Turn) -> None:
        if not turn.logged and self.handler.truth.wanted:
            turn.logged = True
            self.handler.truth.add("turn", self.handler.session.id, **turn.record(self._input.detector, self._profile))
