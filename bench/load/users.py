"""The Locust users of a run: callers of a closed pool, or one dispatcher of open arrivals per worker.

Importing this module imports Locust, which monkey-patches the standard library: only a running load may do it.
Trap: Locust's own spawn rate and percentiles are not used (they tick at 1 Hz and are two-digit buckets); callers
wait for their own planned instant, and every number of a report comes from the rows.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator

import gevent
from gevent.event import Event
from locust import User, task
from locust.exception import StopUser

from bench.load.arrivals import sessions_of_caller
from bench.load.factory import CallFactory
from bench.load.plan import Share, is_warmup, total_sessions
from bench.load.recorder import Recorder
from bench.scenario.model import Scenario
from bench.session.call import Call

NS_PER_S = 1_000_000_000
# Locust advises on its own spawn rates and resets; neither is used here, and its lines would break the live view.
logging.getLogger("locust").setLevel(logging.CRITICAL)


class Playing:
    """The state that the users of one worker share."""

    def __init__(self, scenario: Scenario, factory: CallFactory, recorder: Recorder, share: Share) -> None:
        self.scenario = scenario
        self.factory = factory
        self.recorder = recorder
        self.share = share
        self.start_ns = 0
        self.go = Event()
        self.no_more = Event()
        """No new call may begin; open ones go on."""
        self.done = Event()
        self.offered = 0
        """Open arrivals whose planned instant has come."""
        self.dropped = 0
        self.started = 0
        self._calls: set[Call] = set()
        self._waiting = len(share.callers) or 1

    def begin(self, start_ns: int) -> None:
        """Release the users: planned offsets count from `start_ns`."""
        self.start_ns = start_ns
        self.go.set()

    def retire(self) -> None:
        """A user has no more calls to make."""
        self._waiting -= 1
        if self._waiting <= 0:
            self.done.set()

    def hang_up_all(self) -> None:
        """End every open call now."""
        for call in list(self._calls):
            call.hang_up()

    def call(self, index: int, caller: int, intended_ns: int) -> bool:
        """Play session `index`; whether its transport came up, so that a refused caller can pause."""
        warmup = is_warmup(self.scenario.load, index, (intended_ns - self.start_ns) / NS_PER_S)
        plan = self.factory.plan(index, caller=caller, intended_ns=intended_ns, warmup=warmup)
        call = Call(plan, self.factory.dialect(), self.recorder)
        self._calls.add(call)
        self.started += 1
        try:
            timeline = call.run()
        finally:
            self._calls.discard(call)
        self.recorder.session_ended(timeline)
        return timeline.connection.ready_ns is not None

    def sleep_until(self, at_ns: int) -> bool:
        """Wait for an instant; False when the run stops taking new calls first."""
        wait_s = (at_ns - time.monotonic_ns()) / 1e9
        return not (self.no_more.wait(wait_s) if wait_s > 0 else self.no_more.is_set())


class _VoiceUser(User):
    abstract = True
    playing: Playing
    """Set on the class before the runner starts."""


class Caller(_VoiceUser):
    """One person of a closed pool, who calls again as soon as the last call ended."""

    def on_start(self) -> None:
        share = self.playing.share
        place = next(self._places)
        self.caller = share.callers[place]
        self.offset_ns = round(share.offsets_s[place] * NS_PER_S)

    _places: Iterator[int]

    @task
    def call_until_done(self) -> None:
        playing = self.playing
        load = playing.scenario.load
        playing.go.wait()
        intended_ns = playing.start_ns + self.offset_ns
        try:
            for index in sessions_of_caller(self.caller, load.callers, total_sessions(load)):
                if not playing.sleep_until(intended_ns):
                    break
                came_up = playing.call(index, self.caller, intended_ns)
                intended_ns = time.monotonic_ns()
                if not came_up:
                    # A refused caller redials after a breath; without it a dead server is hammered at CPU speed.
                    intended_ns += NS_PER_S
        finally:
            playing.retire()
        raise StopUser


class Dispatcher(_VoiceUser):
    """Starts the calls of an open arrival process at their planned instants, whether or not earlier ones ended."""

    @task
    def dispatch(self) -> None:
        playing = self.playing
        share = playing.share
        playing.go.wait()
        calls: set[gevent.Greenlet] = set()
        try:
            for offset_s, index in zip(share.offsets_s, share.indices, strict=True):
                intended_ns = playing.start_ns + round(offset_s * NS_PER_S)
                if not playing.sleep_until(intended_ns):
                    break
                playing.offered += 1
                if share.max_open is not None and len(calls) >= share.max_open:
                    playing.dropped += 1
                    continue
                greenlet = gevent.spawn(playing.call, index, index, intended_ns)
                calls.add(greenlet)
                greenlet.link(calls.discard)
            gevent.joinall(list(calls))
        finally:
            playing.retire()
        raise StopUser


def user_class(playing: Playing) -> type[_VoiceUser]:
    """The user class of this run, bound to its shared state."""
    if playing.share.callers:
        return type("Caller", (Caller,), {"playing": playing, "_places": iter(range(len(playing.share.callers)))})
    return type("Dispatcher", (Dispatcher,), {"playing": playing})
