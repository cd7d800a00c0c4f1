"""The Locust users of a worker: callers of a closed pool, or one dispatcher of open arrivals.

In: a worker's share of the load. Out: calls at their planned instants, each timeline handed to the recorder.
Trap: importing this module imports Locust, which patches the standard library: only a running load may do it. Locust's
spawn rate and percentiles are not used (they tick at 1 Hz and are two-digit buckets): callers wait for their own
instant, and every number of a report comes from the rows.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Iterator
from typing import Any

import gevent
from gevent.event import Event
from locust import User, task
from locust.env import Environment
from locust.exception import StopUser
from locust.runners import LocalRunner

from bench.load.back_off import back_off_s
from bench.load.factory import CallFactories
from bench.load.recorder import Recorder
from bench.load.spec import Stretch
from bench.scenario.arrivals import Windows, WorkerShare, next_within
from bench.scenario.interleaving import part_of_cap
from bench.scenario.load_shapes import phases_of_call, sessions_of_caller
from bench.scenario.model import LoadConfig
from bench.session.call import Call

NS_PER_S = 1_000_000_000
LONG_CALL_NS = 5 * NS_PER_S
# Locust advises on its own spawn rates and resets; neither is used here, and its lines would break the live view.
logging.getLogger("locust").setLevel(logging.CRITICAL)


class CallSchedule:
    """The calls of one worker: which are open, which are to come, and the users who make them."""

    def __init__(
        self,
        load: LoadConfig,
        share: WorkerShare,
        factories: CallFactories,
        recorder: Recorder,
        environment: Any = None,
        *,
        seed: int = 0,
        most_calls: int | None = None,
        stretch: Stretch | None = None,
    ) -> None:
        """`most_calls`: calls of the whole run, or of its stretch, that the budget lets begin, by their numbers."""
        self.start_ns = 0
        self.done = Event()
        """Every user has made its last call."""
        self.offered = 0
        """Open arrivals whose planned instant has come."""
        self.dropped = 0
        self.started = 0
        self.withheld = 0
        """Calls that the budget did not let begin."""
        self.pauses = 0
        """How often callers of a closed pool waited after a call that failed, and below how long in all."""
        self.paused_s = 0.0
        self._seed = seed
        self._most_calls = most_calls
        self._stretch = stretch
        self._ended_ns = 0
        self._load = load
        self._share = share
        self._factories = factories
        self._recorder = recorder
        self._go = Event()
        self._no_more = Event()
        self._calls: set[Call] = set()
        self._users = (len(share.callers) or 1) if share.offsets_s else 0
        self._environment = environment or Environment()
        self._user_class = type("VoiceUser", (_VoiceUser,), {"schedule": self, "places": iter(range(self._users))})
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
        self._go.set()

    def admit_no_more(self) -> None:
        """No new call may begin; open ones go on."""
        self._no_more.set()

    def hang_up_all(self) -> None:
        """End every open call now."""
        for call in list(self._calls):
            call.hang_up()

    @property
    def call_s(self) -> float:
        """Time of all calls so far, from dialling to the end of each; open ones are counted until now."""
        return (self._ended_ns + sum(_length_ns(call) for call in self._calls)) / NS_PER_S

    def end(self) -> None:
        """Dismiss users that are left. A worker of a master keeps its runner, which carries its messages."""
        if isinstance(self._environment.runner, LocalRunner):
            self._environment.runner.quit()
        gevent.sleep(0)

    def crashed(self, error: Exception) -> None:
        """A mistake of our own kept a caller from making all calls: that is a loss, and shown."""
        self._recorder.lose("caller(s) that did not make all calls", error)

    def play(self, place: int) -> None:
        """Make every call of the user at `place` of the share."""
        self._go.wait()
        try:
            if self._share.callers:
                self._call_again_and_again(self._share.callers[place], self._share.windows_s[place])
            else:
                self._dispatch()
        finally:
            self._users -= 1
            if self._users <= 0:
                self.done.set()

    def _call_again_and_again(self, caller: int, windows_s: Windows) -> None:
        """One person of a closed pool, who calls again as soon as the last call ended; later after one that failed.

        No call begins outside of the caller's windows; one that is under way at the end of a window is finished. With
        several targets, one that is dead delays the calls to itself alone, and hardly those: a call that went well in
        between is pause enough, and a caller who waits for a dead target would load the others less.
        """
        free_ns: int | None = self._wanted_ns(windows_s, self.start_ns)
        failed: dict[int, int] = {}
        rested_ns: dict[int, int] = {}
        for index in sessions_of_caller(caller, self._load):
            target = self._factories.place_of(index)
            if free_ns is None:
                return
            rested = max(free_ns, rested_ns.get(target, free_ns))
            if rested > free_ns:
                self.pauses += 1
                self.paused_s += (rested - free_ns) / NS_PER_S
            intended_ns = self._wanted_ns(windows_s, rested)
            if intended_ns is None:
                return
            if not self._sleep_until(intended_ns):
                return
            if not self._affordable(index):
                self.withheld += 1
                return
            began_ns = time.monotonic_ns()
            good = self._call(index, caller, intended_ns)
            ended_ns = time.monotonic_ns()
            # A call that failed late kept nobody busy dialling: it is no sign of a target that is dead.
            late = ended_ns - began_ns > LONG_CALL_NS
            if good:
                failed.clear()
            failed[target] = 0 if good or late else failed.get(target, 0) + 1
            pause_s = back_off_s(failed[target], random.Random(f"back-off:{self._seed}:{caller}:{index}"))
            rested_ns[target] = ended_ns + round(pause_s * NS_PER_S)
            free_ns = self._wanted_ns(windows_s, ended_ns)

    def _wanted_ns(self, windows_s: Windows, at_ns: int) -> int | None:
        """The first instant from `at_ns` on at which a caller may begin a call; None when its time is over."""
        begin_s = next_within(windows_s, (at_ns - self.start_ns) / NS_PER_S)
        return None if begin_s is None else max(at_ns, self.start_ns + round(begin_s * NS_PER_S))

    def _dispatch(self) -> None:
        """Starts the calls of an open arrival process at their planned instants, whether or not earlier ones ended.

        A cap on open calls is dealt out evenly to the targets: one that hangs must not take the places of the others.
        """
        share, targets = self._share, len(self._factories)
        cap = share.max_open
        caps = [None if cap is None else part_of_cap(cap, place, targets) for place in range(targets)]
        calls = [set[gevent.Greenlet]() for _ in range(targets)]
        for place, (offset_s, index) in enumerate(zip(share.offsets_s, share.indices, strict=True)):
            if not self._affordable(index):
                self.withheld = len(share.indices) - place
                break
            intended_ns = self.start_ns + round(offset_s * NS_PER_S)
            if not self._sleep_until(intended_ns):
                break
            self.offered += 1
            target = self._factories.place_of(index)
            most, under_way = caps[target], calls[target]
            if most is not None and len(under_way) >= most:
                self.dropped += 1
                continue
            greenlet = gevent.spawn(self._call, index, index, intended_ns)
            under_way.add(greenlet)
            greenlet.link(under_way.discard)
        gevent.joinall([greenlet for under_way in calls for greenlet in under_way])

    def _affordable(self, index: int) -> bool:
        return self._most_calls is None or index < self._most_calls

    def _call(self, index: int, caller: int, intended_ns: int) -> bool:
        """Play session `index`; whether it went well, so that a caller whose call failed can pause."""
        stretch = self._stretch
        if stretch is None:
            offset_s = (intended_ns - self.start_ns) / NS_PER_S
            phases, number = phases_of_call(self._load, index, offset_s, self.start_ns), index
        else:
            phases, number = stretch.phases(self.start_ns), stretch.first_index + index
        factory = self._factories.of(number)
        plan = factory.plan(number, caller=caller, intended_ns=intended_ns, phases=phases)
        call = Call(plan, factory.dialect(), self._recorder)
        self._calls.add(call)
        self.started += 1
        try:
            timeline = call.run()
        finally:
            self._calls.discard(call)
            self._ended_ns += _length_ns(call)
        self._recorder.session_ended(timeline, call.recording)
        return timeline.failure is None

    def _sleep_until(self, at_ns: int) -> bool:
        """Wait for an instant; False when the run stops taking new calls first."""
        wait_s = (at_ns - time.monotonic_ns()) / 1e9
        return not (self._no_more.wait(wait_s) if wait_s > 0 else self._no_more.is_set())


def _length_ns(call: Call) -> int:
    """How long a call has lasted; 0 before it dials. The same span as `duration_ms` of its row."""
    line = call.timeline.connection
    began_ns = line.started_ns if line.started_ns is not None else line.intended_ns
    return max(0, (line.closed_ns or time.monotonic_ns()) - began_ns)


class _VoiceUser(User):
    """A caller of a closed pool, or the one dispatcher of open arrivals."""

    abstract = True
    schedule: CallSchedule
    places: Iterator[int]

    @task
    def make_calls(self) -> None:
        try:
            self.schedule.play(next(self.places))
        except Exception as error:
            self.schedule.crashed(error)
        # Whatever happened: Locust would make the same calls again after any other exception.
        raise StopUser
