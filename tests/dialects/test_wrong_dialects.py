"""Each dialect against the server's side of each other one: what a call says of the server's first messages.

No socket: the server's session and its shape are asked as a connection would ask them. What is no WebSocket at all is
in the table's two last tests.
"""

from __future__ import annotations

from collections.abc import Iterator

import orjson
import pytest

from bench.dialects import dialect_names, dialect_of
from bench.dialects.session_config import SessionConfig
from bench.facts.failure import Failure
from bench.facts.signals import InputTranscriptFailed, ServerError, SessionReady
from bench.server.protocol.config import default_session
from bench.server.protocol.session import Session
from bench.server.protocol.shapes import _SHIPPED, shape_of

HTTP = "openai-transcriptions"
SILENT = "twilio-media-streams"
CALLERS = [name for name in dialect_names() if name != HTTP]
SPOKEN_TO = {
    ("azure-voice-live", "openai-beta"): None,
    ("qwen-omni", "openai-beta"): None,
    ("xai", "openai"): None,
    **{("openai-live", name): "openai-live, or openai" for name in ("elevenlabs-agents", "gemini-live", SILENT)},
}
"""By server and caller, where the call does not name the server's own dialect. None: a variant is called in the dialect
that it is a variant of, and the call is a good one."""


def heard(server: str, caller: str) -> Iterator[object]:
    """The signals of a call made in dialect `caller`, until it is ready or the server has said its first."""
    config = {"frame": "20ms"} if caller == SILENT else {}
    subject = dialect_of(caller)(SessionConfig.model_validate(config, context={"dialect": caller}), "m")
    shape = shape_of(server)()
    session = Session(model="m", created_at_s=0, shape=shape, settings=shape.settings(default_session("m")))
    events = list(session.open().events)
    for message in subject.opening():
        events += session.handle_text(message.encode() if isinstance(message, str) else message).events
    for event in events:
        for said in shape.outgoing(event):
            yield from subject.receive(orjson.dumps(said).decode(), 7)


@pytest.mark.parametrize("server", [name for name in _SHIPPED if name != SILENT])
@pytest.mark.parametrize("caller", CALLERS)
def test_the_server_is_named(server: str, caller: str) -> None:
    signals = list(heard(server, caller))
    wrong = [each.error for each in signals if isinstance(each, ServerError) and each.fatal]
    expected = SPOKEN_TO.get((server, caller), server)
    if caller == server or expected is None:
        assert wrong == []
        assert caller == SILENT or any(isinstance(each, SessionReady) for each in signals)
    else:
        assert wrong[0].code == "wrong_dialect"
        assert str(wrong[0].message).endswith(f"use dialect: {expected}")


@pytest.mark.parametrize("caller", [name for name in CALLERS if name != SILENT])
def test_a_bot_that_waits_to_be_called_says_nothing(caller: str) -> None:
    assert list(heard(SILENT, caller)) == []
    said = dialect_of(caller)(SessionConfig.model_validate({}, context={"dialect": caller}), "m").while_silent()
    assert said.startswith("the server said nothing at all; a telephone bot waits to be called")
    assert SILENT in said


def test_an_address_without_a_websocket() -> None:
    subject = dialect_of("openai")(SessionConfig.model_validate({}), "m")
    nothing = Failure("handshake", "upgrade", "http_404", "Not Found", http_status=404)
    said = subject.when_refused(nothing).message
    assert said is not None
    assert said.startswith("no WebSocket is opened at this address (HTTP 404)")
    assert said.endswith("dialect: openai-transcriptions. The answer was: Not Found")
    for other in (
        Failure("handshake", "upgrade", "DeploymentNotFound", "no such model", http_status=404),
        Failure("auth", "upgrade", "http_401", "no", http_status=401),
        Failure("handshake", "token", "http_404", "no", http_status=404),
    ):
        assert subject.when_refused(other) is other


def test_an_address_without_speech_to_text() -> None:
    config = {"type": "transcription", "turn_detection": "manual"}
    subject = dialect_of(HTTP)(SessionConfig.model_validate(config, context={"dialect": HTTP}), "m")
    failure = {"error_kind": "handshake", "error_code": "http_404", "message": "Not Found", "http_status": 404}
    (failed,) = subject.receive(orjson.dumps({"turn": 0, "failure": failure}).decode(), 7)
    assert isinstance(failed, InputTranscriptFailed)
    assert failed.error is not None
    assert str(failed.error.message).startswith("no speech to text is served at this address (HTTP 404)")
