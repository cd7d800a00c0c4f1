"""What a caller does while the agent speaks: listen, cut in, make a sound.

In: the verbs that a step uses, and moments of a reply. Out: acts in the timeline. Trap: a moment is one of *heard*
reply; what a turn cuts into may have been sent, and its turn be over, long before.
"""

from __future__ import annotations

import time

from bench.audio.catalogue import Fixture
from bench.dialects.dialect import Dialect
from bench.facts.acts import Listening, Sound
from bench.facts.attribution import ResponseState
from bench.facts.timeline import TurnFacts
from bench.session.listener import Moment
from bench.session.plan import CallPlan, Observer
from bench.session.speaking import Speaking

_SHORTEST_LOOK_NS, _LONGEST_LOOK_NS = 1_000_000, 200_000_000
"""Between two looks at whether a moment of a reply is heard."""


class Conversation(Speaking):
    """Somebody who speaks and listens."""

    def __init__(self, plan: CallPlan, dialect: Dialect, observer: Observer) -> None:
        super().__init__(plan, dialect, observer)
        self.is_cut_into = False
        """The next step cuts into the reply of this one."""

    def hear_reply(self, turn: TurnFacts) -> None:
        """Wait for the reply and hear it out; return at once when the next step cuts into it."""
        if self.is_cut_into:
            self._ended_turns.held = turn
            return
        self.await_reply(turn)
        self.hear_out()

    def await_moment(self, moment: Moment, *, lead_ns: int) -> tuple[int, int] | None:
        """Wait until `lead_ns` before the caller hears `moment` of what the agent says.

        Returns the number of that response, and the instant of the moment.

        What counts is the reply to the turn under way, or the greeting that is being listened to. None when that was
        over before, or never came; then it has been heard to its end.
        """
        self._intake.curious = True
        try:
            while not self.over:
                now_ns = time.monotonic_ns()
                heard = self._hears(moment)
                if heard is not None and now_ns >= heard[1] - lead_ns and not self._speaking:
                    return heard
                again_ns = now_ns + _LONGEST_LOOK_NS if heard is None else heard[1] - lead_ns
                turn = self.tracker.current
                if turn is not None and turn.end is None:
                    again_ns = min(again_ns, self._judge(turn))
                if self._said_all and (heard is None or (turn is not None and turn.end != "completed")):
                    break
                self._report()
                self._sleep_until(max(again_ns, now_ns + _SHORTEST_LOOK_NS))
        finally:
            self._intake.curious = False
        self._hear_all()
        return None

    def interrupt(self, fixture: Fixture, *, step: int, heard: tuple[int, int] | None, by_client: bool) -> TurnFacts:
        """Begin to speak into what `await_moment` gave; as `say` for None.

        The turn before is over with that. From now on the caller stops hearing the response when the server hears the
        caller or cancels the response. `by_client`: we ask for the cancellation; in push to talk the caller stops
        hearing as soon as it speaks.
        """
        if heard is None:
            turn = self.say(fixture, step=step)
            turn.interrupts = True
            return turn
        before = self.tracker.current
        if before is not None and before.end is None:
            self._end(before, "interrupted")
        self._listened()
        response, onset_ns = heard
        turn = self.say(fixture, step=step, onset_ns=onset_ns)
        turn.interrupts, turn.cuts_into = True, response
        self._barge_in.watch(self.tracker.response(response), turn.t0_ns, cancels=by_client)
        self._ended_turns.held = None
        if by_client and self.dialect.manual:
            self.idle_until(turn.speech_start_ns)
            self._barge_in.stop(turn.speech_start_ns, time.monotonic_ns())
            self._send_posted()
        return turn

    def sound(self, fixture: Fixture, *, step: int, heard: tuple[int, int]) -> Sound:
        """Begin to make a sound while listening to what `await_moment` gave, and return at once. It is no turn.

        The caller stops hearing the reply when the server says that it hears the caller, as with an interruption: a
        client cannot know better.
        """
        assert self._pacer is not None
        number, onset_ns = heard
        response = self.tracker.response(number)
        utterance, t0_ns = self._speak(fixture, onset_ns)
        sound = Sound(
            step=step,
            fixture=utterance.fixture,
            t0_ns=t0_ns,
            speech_start_ns=t0_ns + utterance.speech_start_ns,
            speech_end_ns=t0_ns + utterance.speech_end_ns,
            utterance_end_ns=t0_ns + utterance.duration_ns,
            response=number,
            turn=response.turn,
        )
        self.timeline.sounds.append(sound)
        self._barge_in.watch(response, t0_ns, cancels=not self.dialect.speech_interrupts)
        self._pacer.resume()
        return sound

    def listen_on(self) -> None:
        """After a sound: wait for the reply that is heard and hear it out; at once when the next step cuts into it."""
        if not self.is_cut_into:
            self._hear_all()

    def _hear_all(self) -> None:
        """Hear the reply out, and what the server answers to a sound that it took for speech."""
        turn = self.tracker.current
        self._ended_turns.held = None
        if turn is not None:
            self.await_reply(turn)
        self.hear_out()
        self._listened()
        sound = self.timeline.sounds[-1] if self.timeline.sounds else None
        if sound is not None and (turn is None or turn.t0_ns < sound.t0_ns):
            self.wait(lambda now_ns: self.tracker.answers_until_ns(sound, now_ns), since_ns=sound.t0_ns)
            self.hear_out()

    @property
    def _heard_now(self) -> list[ResponseState]:
        """What the caller listens to: the greeting that a step waited for, else the responses of the turn."""
        listening = self._listening
        if listening is not None and listening.response is not None:
            return [self.tracker.response(listening.response)]
        turn = self.tracker.current
        return [] if turn is None else self.tracker.of_turn(turn.index)

    def _listened(self) -> None:
        """A greeting that was listened to is over, or is cut into."""
        if self._listening is not None:
            self._listening.until_ns = time.monotonic_ns()

    @property
    def _listening(self) -> Listening | None:
        """The greeting, or other speech of the agent's own, that is being listened to."""
        last = self.timeline.listenings[-1] if self.timeline.listenings else None
        return last if last is not None and last.until_ns is None else None

    @property
    def _said_all(self) -> bool:
        """Whether the agent has no more to say for now."""
        turn, listening = self.tracker.current, self._listening
        if listening is not None and listening.response is not None:
            return self.tracker.said(listening.response, time.monotonic_ns())
        return turn is None or turn.end is not None

    def _hears(self, moment: Moment) -> tuple[int, int] | None:
        """The newest response of which `moment` is heard, and when."""
        for response in reversed(self._heard_now):
            at_ns = self._listener.heard_at(response.number, moment)
            if at_ns is not None:
                return response.number, at_ns
        return None
