"""A finished call leaves nothing for the collector: thousands of them would hold the loop while it searches."""

from __future__ import annotations

import gc
import socket
import time
from collections import Counter
from pathlib import Path
from typing import Any

import gevent
import pytest

from bench.load.factory import CallFactory, RunIdentity
from bench.scenario.read import scenario_from_dict
from bench.session.call import Call
from tests.support.bursts import two_turns
from tests.support.play import Rows
from tests.support.processes import voice_server


def factory_of(folder: Path, url: str, **more: Any) -> CallFactory:
    body = {**two_turns(folder), "conversation": [{"say": "burst-0"}], **more}
    body["target"] = {"url": url, "model": "truth"}
    scenario = scenario_from_dict(body, source=folder / "scenario.yaml")
    assert scenario.target is not None
    factory = CallFactory(scenario, scenario.target, RunIdentity("run", "w0"))
    factory.prepare()
    return factory


def left_by(factory: CallFactory, index: int) -> Counter[str]:
    """Objects of ours that one call leaves to the collector."""
    gc.collect()
    gc.disable()
    try:
        plan = factory.plan(index, caller=0, intended_ns=time.monotonic_ns())
        with gevent.Timeout(30):
            Call(plan, factory.dialect(), Rows()).run()
        del plan
        gevent.sleep(0.2)  # the alarm's last frame, and the hub's own clean-up
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        found = list(gc.garbage)
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()
    return Counter(type(each).__qualname__ for each in found if _ours(each))


def _ours(thing: object) -> bool:
    return type(thing).__module__.partition(".")[0] in {"bench", "gevent", "greenlet", "websockets"}


@pytest.mark.parametrize("mode", ["manual", "server_vad"])
def test_an_answered_call_leaves_no_cycle(tmp_path: Path, mode: str) -> None:
    with voice_server(delay_ms=350.0, reply_ms=200.0) as url:
        factory = factory_of(tmp_path, url, session={"turn_detection": mode})
        assert left_by(factory, 1) == Counter()


@pytest.mark.parametrize("behaviour", ["refuse_session", "cut"])
def test_a_failed_call_leaves_no_cycle(tmp_path: Path, behaviour: str) -> None:
    with voice_server(behaviour=behaviour) as url:
        factory = factory_of(tmp_path, url, timeouts={"ready": "300ms", "reply": "500ms"})
        assert left_by(factory, 1) == Counter()


def test_a_refused_connection_leaves_no_cycle(tmp_path: Path) -> None:
    factory = factory_of(tmp_path, "ws://127.0.0.1:9/v1/realtime")
    assert left_by(factory, 1) == Counter()


def test_a_connection_that_is_never_answered_leaves_no_cycle(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"ws://127.0.0.1:{silent.getsockname()[1]}/v1/realtime"
        assert left_by(factory_of(tmp_path, url, timeouts={"connect": "200ms"}), 1) == Counter()
