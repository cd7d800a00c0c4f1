"""What is said of a target before anything is sent to it."""

from __future__ import annotations

from typing import Any

import pytest

from bench.run.plan import plan_text
from bench.scenario.target import Target
from tests.scenario.conftest import Load

KEY = {"api_key": "env:K"}
PLAIN, UNCHECKED = "without encryption", "certificate of voice.example is not checked"


@pytest.mark.parametrize(
    ("target", "warned"),
    [
        ({"url": "ws://voice.example/v1", **KEY}, PLAIN),
        ({"url": "http://10.0.0.7/v1", **KEY}, PLAIN),
        ({"url": "ws://voice.example/v1", "headers": {"X-Team": "env:T"}}, PLAIN),
        ({"url": "ws://voice.example/v1", "query": {"region": "env:R"}}, PLAIN),
        ({"url": "ws://voice.example/v1"}, None),
        ({"url": "wss://voice.example/v1", **KEY}, None),
        ({"url": "wss://voice.example/v1", "verify_tls": False, **KEY}, UNCHECKED),
        ({"url": "wss://voice.example/v1", "verify_tls": False}, UNCHECKED),
        ({"url": "ws://localhost:9/v1", **KEY}, None),
        ({"url": "ws://127.8.8.8:9/v1", **KEY}, None),
        ({"url": "ws://[::1]:9/v1", **KEY}, None),
        ({"url": "wss://127.0.0.1/v1", "verify_tls": False, **KEY}, None),
        ({"url": "ws://localhost.evil.example/v1", **KEY}, PLAIN),
        ({**KEY}, None),
    ],
)
def test_a_key_that_others_could_read(target: dict[str, Any], warned: str | None) -> None:
    said = Target.model_validate(target).exposures
    assert len(said) == (warned is not None)
    assert warned is None or warned in said[0]


def test_the_plan_says_so(load: Load) -> None:
    text = "name: a\nconversation: [say: balance-rms]\ntarget: {url: 'ws://voice.example/v1', api_key: env:K}\n"
    assert "# WARNING: the key is sent to voice.example without encryption (ws://)" in plan_text(load(text))
    assert "WARNING" not in plan_text(load(text.replace("ws:", "wss:")))
