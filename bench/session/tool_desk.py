"""Where the tool calls of one call are answered, beside the conversation: nothing here holds up the microphone.

In: complete tool calls and ends of responses, as they are taken in. Out: results in the dialect's outbox and, when all
of a response are there and it has ended, a request for the reply; a `ToolUse` in the timeline for each.
A function of the user runs in a thread. Trap: a request for a reply while a response is open is refused by the server,
and after the caller has gone on it would be an answer to nobody's question.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Any

import gevent
from gevent.threadpool import ThreadPool

from bench.dialects.dialect import Dialect
from bench.facts.acts import ToolUse
from bench.facts.signals import ResponseEnded, ToolCall
from bench.facts.timeline import Timeline
from bench.session.tools import Decision, Toolbox, as_output, error_output
from bench.session.tracker import Tracker

NS_PER_MS = 1_000_000
MOST_THREADS = 32
"""Functions of users that run at once in this process; more wait, and the wait counts against their time-out."""
_threads: list[ThreadPool] = []


def _pool() -> ThreadPool:
    if not _threads:
        _threads.append(ThreadPool(MOST_THREADS))
    return _threads[0]


class ToolDesk:
    """Answers tool calls. `send` sends what is in the dialect's outbox and wakes whoever waits."""

    def __init__(
        self,
        timeline: Timeline,
        tracker: Tracker,
        dialect: Dialect,
        toolbox: Toolbox | None,
        *,
        send: Callable[[], None],
        continues: Callable[[], None],
        seed: str,
        open_sessions: Callable[[], int],
    ) -> None:
        """`continues` is told when a reply is asked for that goes on with what was said before the tool."""
        self._timeline = timeline
        self._tracker = tracker
        self._dialect = dialect
        self._toolbox = toolbox
        self._send = send
        self._continues = continues
        self._seed = seed
        self._open_sessions = open_sessions
        self._working: set[gevent.Greenlet] = set()
        self._ended: dict[int, bool] = {}
        """Responses that have ended, and whether they were completed."""

    def feed(self, signal: ToolCall | ResponseEnded, response: int) -> None:
        """Take in a tool call, or the end of a response, that is part of `response`."""
        if self._toolbox is None:
            return
        if isinstance(signal, ToolCall):
            self._called(signal, response, self._toolbox)
        elif response not in self._ended:
            self._ended[response] = signal.status in {"completed", "unknown"}
            self._ask(response)

    def close(self) -> None:
        """The call is over: nothing is answered any more."""
        gevent.killall(list(self._working), block=False)
        self._working.clear()
        self._send = self._continues = _nothing  # they know the call: a cycle, which the collector would have to find

    def _called(self, call: ToolCall, response: int, toolbox: Toolbox) -> None:
        uses = self._timeline.tools
        if any(use.call_id == call.call_id and use.response == response for use in uses):
            return
        turn = self._tracker.response(response).turn
        use = ToolUse(call.call_id, call.name, response, turn, call.at_ns)
        rounds = {each.response for each in uses if each.turn == turn and each.asked_ns is not None} - {response}
        uses.append(use)
        if len(rounds) >= self._dialect.config.tool_rounds:
            use.error, use.decided_ns = "too_many_calls", call.at_ns
            use.detail = f"the agent went on to call tools after {len(rounds)} rounds (session.tool_rounds)"
            return
        draw = random.Random(f"{self._seed}:tool:{len(uses)}")
        decision = toolbox.decide(call.name, call.arguments, draw, open_sessions=self._open_sessions())
        if decision.error is not None:
            use.error, use.detail, use.decided_ns = decision.error, decision.detail, call.at_ns
        worker = gevent.spawn(self._serve, use, decision)
        self._working.add(worker)
        worker.link(self._working.discard)

    def _serve(self, use: ToolUse, decision: Decision) -> None:
        """Runs in a greenlet of its own: waits, works, and brings the result."""
        output = decision.output
        due_ns = use.called_ns + round(decision.delay_ms * NS_PER_MS)
        late_ns = use.called_ns + round(decision.timeout_ms * NS_PER_MS)
        _sleep_until(min(due_ns, late_ns))
        if due_ns > late_ns:
            output = self._too_slow(use, decision)
        elif decision.function is not None:
            output = self._run(use, decision, late_ns)
        for message in self._dialect.tool_result(use.call_id, output):
            self._dialect.post(message)
        use.sent_ns = time.monotonic_ns()
        if use.error in {"tool_timeout", "tool_failed"}:
            use.decided_ns = use.sent_ns
        self._ask(use.response)
        self._send()

    def _run(self, use: ToolUse, decision: Decision, late_ns: int) -> str:
        """What the user's function says. One that takes too long is left to itself: a thread cannot be ended."""
        assert decision.function is not None
        left_s = max(0.0, (late_ns - time.monotonic_ns()) / 1e9)
        outcome: list[Any] = []

        def work() -> None:
            try:
                outcome.append((None, as_output(decision.function(**dict(decision.arguments or {})))))  # type: ignore[misc]
            except BaseException as error:  # of the user's own code, whatever it is
                outcome.append((f"{type(error).__name__}: {error}"[:300], ""))

        _pool().spawn(work).wait(timeout=left_s)
        if not outcome:
            return self._too_slow(use, decision)
        failed, output = outcome[0]
        if failed is not None:
            use.error, use.detail = "tool_failed", failed
            return error_output("the tool failed")
        return str(output)

    def _too_slow(self, use: ToolUse, decision: Decision) -> str:
        use.error, use.detail = "tool_timeout", f"the tool took longer than {decision.timeout_ms:,.0f} ms"
        return error_output("the tool did not answer in time")

    def _ask(self, response: int) -> None:
        """Ask for the reply to the results of `response`, once they are all there and it has ended."""
        uses = [use for use in self._timeline.tools if use.response == response]
        if not uses or any(use.sent_ns is None or use.asked_ns is not None for use in uses):
            return
        if not self._ended.get(response, False) or self._gone_on(uses[0].turn):
            return
        self._continues()
        asked_ns = time.monotonic_ns()
        for message in self._dialect.reply_to_tools(uses[0].turn):
            self._dialect.post(message)
        for use in uses:
            use.asked_ns = asked_ns

    def _gone_on(self, turn: int | None) -> bool:
        """Whether the caller speaks of something else by now."""
        current = self._tracker.current
        if turn is None:
            return current is not None and current.end is None
        return current is None or current.index != turn or current.end is not None


def _nothing() -> None:
    """For a desk that is closed."""


def _sleep_until(at_ns: int) -> None:
    while (left_ns := at_ns - time.monotonic_ns()) > 0:
        gevent.sleep(left_ns / 1e9)
