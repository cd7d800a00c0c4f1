"""npm's `@openai/agents-realtime` on Node, over its WebSocket transport, against the reference server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.clients import npm
from tests.clients.support import ARGUMENTS, CUT, KEY, LONG, LONG_S, SHORT, SHORT_S, said, short_key

pytestmark = pytest.mark.slow
"""npm is asked for the package."""


@pytest.fixture(scope="module")
def client() -> Any:
    try:
        npm.folder()
    except LookupError as reason:
        pytest.skip(str(reason))
    return npm.call


@pytest.fixture
def made(client: Any, realtime: str, tmp_path: Path, request: pytest.FixtureRequest) -> dict[str, Any]:
    """What the client saw of a call."""
    feature, short = request.param
    spoken, cut = tmp_path / "spoken.pcm", tmp_path / "cut.pcm"
    spoken.write_bytes(said(LONG if feature == "barge-in" else SHORT).tobytes())
    cut.write_bytes(said(CUT).tobytes())
    url = realtime.replace("http", "ws") + "/v1/realtime?model=gpt-realtime"
    seen: dict[str, Any] = client(feature, url, short_key(realtime) if short else KEY, spoken, cut)
    assert seen["errors"] == []
    return seen


@pytest.mark.parametrize("made", [("detected", False)], indirect=True)
def test_a_turn_that_the_server_detects(made: dict[str, Any]) -> None:
    assert made["responses"] == [["completed", None]]
    assert made["heard_s"] == pytest.approx(SHORT_S, abs=0.25)
    assert made["events"]["input_audio_buffer.speech_stopped"] == 1


@pytest.mark.parametrize("made", [("manual", False)], indirect=True)
def test_a_turn_by_hand(made: dict[str, Any]) -> None:
    assert made["responses"] == [["completed", None]]
    assert made["heard_s"] == pytest.approx(SHORT_S, abs=0.25)
    assert "input_audio_buffer.speech_stopped" not in made["events"]


@pytest.mark.parametrize("made", [("tool", False)], indirect=True)
def test_a_tool_is_run_and_its_result_is_answered(made: dict[str, Any]) -> None:
    assert made["asked"] == [ARGUMENTS["order_id"]]
    assert made["responses"] == [["completed", None]] * 2
    assert made["heard_s"] == pytest.approx(SHORT_S, abs=0.25)


@pytest.mark.parametrize("made", [("barge-in", False)], indirect=True)
def test_a_barge_in_ends_the_reply(made: dict[str, Any]) -> None:
    assert made["interrupted"] >= 1
    assert made["responses"] == [["cancelled", "turn_detected"], ["completed", None]]
    assert 0 < made["before_cut_s"] < LONG_S / 2
    assert made["events"]["conversation.item.truncated"] == 1


@pytest.mark.parametrize("made", [("detected", True)], indirect=True)
def test_a_client_secret_is_its_key(made: dict[str, Any]) -> None:
    assert made["responses"] == [["completed", None]]
