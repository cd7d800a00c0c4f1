"""The Locust users of a worker: callers of a closed pool, or one dispatcher of open arrivals.

In: a worker's share of the load. Out: calls at their planned instants, each timeline handed to the recorder.
Trap: importing this module imports Locust, which patches the standard library: only a running load may do it. Locust's
spawn rate and percentiles are not used (they tick at 1 Hz and are two-digit buckets): callers wait for their own
instant, and every number of a report comes from the rows.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator

import gevent
from gevent.event import Event
from locust import User, task
from locust.env import Environment
from locust.exception import StopUser
from locust.runners import LocalRunner

from bench.load.factory import CallFactory
from bench.load.recorder import Recorder
from bench.load.shapes import WorkerShare, is_warmup, sessions_of_caller
from bench.scenario.model import Scenario
from bench.session.call import Call

NS_PER_S = 1_000_000_000
# Locust advises on its own spawn rates and resets; neither is used here, and its lines would break the live view.
logging.getLogger("locust").setLevel(logging.CRITICAL)


class CallSchedule:
    """The calls of one worker: which are open, which are to come, and the users who make them."""

    def __init__(
        self,
        scenario: Scenario,
        factory: CallFactory,
        recorder: Recorder,
        share: WorkerShare,
        environment: Environment | None,
    ) -> None:
        self.load = scenario.load
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
        self._factory = factory
        self._recorder = recorder
        self._calls: set[Call] = set()
        self._users = (len(share.callers) or 1) if share.offsets_s else 0
        self._user_class = _user_class(self)
        self._environment = environment or Environment()
        self._environment.user_classes = [self._user_class]

    def begin(self) -> None:
        """Make the users and release them together: planned offsets count from now."""
        runner = self._environment.runner or self._environment.create_local_runner()
        if not self._users:
            self.done.set()
        elif isinstance(runner, LocalRunner):
            runner.start(self._users, spawn_rate=self._users)
        else:
            # Locust would deal users out by its own arithmetic; which callers are ours is settled by the share.
            runner.spawn_users({self._user_class.__name__: self._users})
        self.start_ns = time.monotonic_ns()
        self.go.set()

    def end(self) -> None:
        """Dismiss users that are left. A worker of a master keeps its runner, which carries its messages."""
        if isinstance(self._environment.runner, LocalRunner):
            self._environment.runner.quit()
        gevent.sleep(0)

    def retire(self) -> None:
        """A user has no more calls to make."""
        self._users -= 1
        if self._users <= 0:
            self.done.set()

    def hang_up_all(self) -> None:
        """End every open call now."""
        for call in list(self._calls):
            call.hang_up()

    def call(self, index: int, caller: int, intended_ns: int) -> bool:
        """Play session `index`; whether its transport came up, so that a refused caller can pause."""
        warmup = is_warmup(self.load, index, (intended_ns - self.start_ns) / NS_PER_S)
        plan = self._factory.plan(index, caller=caller, intended_ns=intended_ns, warmup=warmup)
        call = Call(plan, self._factory.dialect(), self._recorder)
        self._calls.add(call)
        self.started += 1
        try:
            timeline = call.run()
        finally:
            self._calls.discard(call)
        self._recorder.session_ended(timeline)
        return timeline.connection.ready_ns is not None

    def sleep_until(self, at_ns: int) -> bool:
        """Wait for an instant; False when the run stops taking new calls first."""
        wait_s = (at_ns - time.monotonic_ns()) / 1e9
        return not (self.no_more.wait(wait_s) if wait_s > 0 else self.no_more.is_set())


class _VoiceUser(User):
    abstract = True
    schedule: CallSchedule
    """Set on the class before the runner starts."""


class Caller(_VoiceUser):
    """One person of a closed pool, who calls again as soon as the last call ended."""

    def on_start(self) -> None:
        share = self.schedule.share
        place = next(self._places)
        self.caller = share.callers[place]
        self.offset_ns = round(share.offsets_s[place] * NS_PER_S)

    _places: Iterator[int]

    @task
    def call_until_done(self) -> None:
        schedule = self.schedule
        schedule.go.wait()
        intended_ns = schedule.start_ns + self.offset_ns
        try:
            for index in sessions_of_caller(self.caller, schedule.load):
                if not schedule.sleep_until(intended_ns):
                    break
                came_up = schedule.call(index, self.caller, intended_ns)
                intended_ns = time.monotonic_ns()
                if not came_up:
                    # A refused caller redials after a second; without the pause a dead server is hammered at CPU speed.
                    intended_ns += NS_PER_S
        finally:
            schedule.retire()
        raise StopUser


class Dispatcher(_VoiceUser):
    """Starts the calls of an open arrival process at their planned instants, whether or not earlier ones ended."""

    @task
    def dispatch(self) -> None:
        schedule = self.schedule
        share = schedule.share
        schedule.go.wait()
        calls: set[gevent.Greenlet] = set()
        try:
            for offset_s, index in zip(share.offsets_s, share.indices, strict=True):
                intended_ns = schedule.start_ns + round(offset_s * NS_PER_S)
                if not schedule.sleep_until(intended_ns):
                    break
                schedule.offered += 1
                if share.max_open is not None and len(calls) >= share.max_open:
                    schedule.dropped += 1
                    continue
                greenlet = gevent.spawn(schedule.call, index, index, intended_ns)
                calls.add(greenlet)
                greenlet.link(calls.discard)
            gevent.joinall(list(calls))
        finally:
            schedule.retire()
        raise StopUser


def _user_class(schedule: CallSchedule) -> type[_VoiceUser]:
    if schedule.share.callers:
        return type("Caller", (Caller,), {"schedule": schedule, "_places": iter(range(len(schedule.share.callers)))})
    return type("Dispatcher", (Dispatcher,), {"schedule": schedule})
