"""The run's side of the live page: starts the process that serves it, and tells it how the run stands.

In: `Progress` a few times a second. Out: one short line of JSON a second to the other process, which reads the rows
from the spool by itself; and the user's wish to stop, which acts as Ctrl-C does.
Trap: this runs in the loop that paces audio. It never waits for the other process, and a page that is gone does not
end the run.
"""

from __future__ import annotations

import os
import signal
import time
from types import TracebackType
from typing import Any, Self

from rich.console import Console

from bench.live.address import LiveAddress, listen, url_of
from bench.live.moment import moment_of
from bench.live.talk_source import TalkSource
from bench.load.progress import Progress
from bench.load.spec import RunSpec
from bench.load.watchers import Watcher
from bench.run.side_process import SideProcess

EVERY_S = 1.0
END_TIMEOUT_S = 5.0


class LivePage:
    """The page of one run; leaving the context closes its address."""

    def __init__(self, address: LiveAddress, console: Console, talk: TalkSource | None = None) -> None:
        """`talk`: whom a reader may talk to from the page."""
        self._address, self._console, self._talk = address, console, talk
        self._feed: LiveFeed | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._feed is not None:
            self._feed.end()

    def open(self, spec: RunSpec) -> LiveFeed:
        """The watcher of the run `spec`; its URL is printed once the page is served."""
        self._feed = LiveFeed(self._address, spec, self._talk)
        self._console.print(f"live page: {self._feed.url}", markup=False, highlight=False, soft_wrap=True)
        if not self._address.local:
            self._console.print(
                "others can reach this address: whoever has the token can read along, stop the run and call the "
                "target, and the connection is not encrypted",
                markup=False, highlight=False, soft_wrap=True,
            )  # fmt: skip
        return self._feed


class LiveFeed(Watcher):
    """Tells the process of the page; raises `BenchError` when its address cannot be had or it does not start."""

    def __init__(self, address: LiveAddress, spec: RunSpec, talk: TalkSource | None = None) -> None:
        self._budget = spec.scenario.budget
        self._next_s = 0.0
        self._phase = ""
        self._stops = 0
        self._latest: Progress | None = None
        with listen(address) as listener:
            self.url = url_of(address, listener.getsockname()[1])
            hello = {
                "token": address.token,
                "local": address.local,
                "root": str(spec.folder.root.resolve()),
                "about": {**about(spec), "can_talk": talk is not None},
                "talk": None if talk is None else talk.as_json(),
                "embedded_url": next((each.target.url for each in spec.callees if each.scenario.target is None), None),
            }
            self._process = SideProcess(
                "bench.live.viewer",
                hello,
                fds=[listener.fileno()],
                what="the live page",
                hint="leave --live out to run without it",
            )
        self.pid = self._process.pid

    # the run

    def progress(self, progress: Progress) -> None:
        self._listen_to_user()
        self._latest = progress
        if progress.elapsed_s >= self._next_s or progress.phase != self._phase:
            self._next_s, self._phase = progress.elapsed_s + EVERY_S, progress.phase
            self._process.say(moment=moment_of(progress, self._budget))

    def note(self, line: str) -> None:
        self._process.say(note=line)

    def close(self) -> None:
        """The last call has ended: tell it with the last figures, for which the other process may be waited for."""
        if self._latest is not None:
            self._process.say(moment=moment_of(self._latest, self._budget))
        self._process.say(over=True)
        self._process.flush()

    def end(self) -> None:
        """The report is written, or there will be none: close the address. Again is harmless."""
        self._process.kill(after_s=END_TIMEOUT_S)

    def _listen_to_user(self) -> None:
        """A stop from the page is Ctrl-C: once lets open calls finish, twice hangs up, and never more often."""
        for said in self._process.heard():
            if "stop" in said:
                self._stops += 1
                if self._stops <= 2:
                    os.kill(os.getpid(), signal.SIGINT)


def about(spec: RunSpec) -> dict[str, Any]:
    """What does not change while the run goes on."""
    scenario = spec.scenario
    return {
        "title": scenario.name,
        "target": ", ".join(dict.fromkeys(each.target.url or each.name for each in spec.callees)),
        "model": ", ".join(dict.fromkeys(each.target.model for each in spec.callees if each.target.model)),
        "folder": str(spec.folder.root.resolve()),
        "report": str(spec.folder.report_html.resolve()),
        "graceful_s": scenario.load.graceful_stop_ms / 1000,
        "opened_at": time.time(),
    }
