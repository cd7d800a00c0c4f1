"""`bench live SCENARIO`: the page of a live test, until a signal.

In: a loaded scenario and an address. Out: the page. Without a target in the scenario, the embedded server is called.
"""

from __future__ import annotations

import signal
from contextlib import ExitStack

import gevent
from gevent.event import Event

from bench.live.address import LiveAddress, listen, url_of
from bench.live.board import Board
from bench.live.talk import Talk
from bench.live.talk_source import callee_of
from bench.live.web import LiveServer, cooperative
from bench.run.server_process import ServerProcess
from bench.scenario.model import Scenario
from bench.server.options import ServeOptions


def serve_talk(scenario: Scenario, address: LiveAddress) -> None:
    """Serve until Ctrl-C. Raises `BenchError` for an address, a secret or a recording that is not there."""
    with ExitStack() as stack:
        listener = cooperative(listen(address))
        stack.callback(listener.close)
        embedded_url = None
        if scenario.target is None and not scenario.targets:
            print("starting the embedded server ...", flush=True)
            server = ServerProcess(ServeOptions(port=0), what="the embedded server")
            stack.callback(server.stop)
            embedded_url = server.url
        callee = callee_of(scenario, embedded_url)
        url = callee.target.url or ""
        about = {
            "title": scenario.name,
            "target": url,
            "model": callee.target.model or "",
            "folder": None,
            "report": None,
            "graceful_s": 0,
        }
        board = Board(about=about, state="talk", stopping=0)
        talk = Talk(callee, board)
        stack.callback(talk.close)
        page = LiveServer(listener, board, token=address.token, local=address.local, posts=talk.posts, reply=talk.reply)
        stack.callback(page.stop)
        print(f"live page: {url_of(address, listener.getsockname()[1])}", flush=True)
        print("Ctrl-C ends it. Each call that you begin on the page is a call to the target.", flush=True)
        over = Event()
        handlers = [gevent.signal_handler(number, over.set) for number in (signal.SIGINT, signal.SIGTERM)]
        stack.callback(lambda: [handler.cancel() for handler in handlers])
        over.wait()
