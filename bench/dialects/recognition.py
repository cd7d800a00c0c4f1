"""Which dialect a server speaks, by one of its messages: what a call says that was made in the wrong one.

In: a decoded message. Out: a dialect's name, or None where the message does not tell. Trap: an event that two
protocols share (`ping`, `error`) must not tell, and a server of our own dialect may send what we do not know.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from bench.dialects.openai_shapes import DIALECT_OF, dialect_of_session, shape_of_event
from bench.facts.signals import ErrorInfo, ServerError

_GEMINI = frozenset({"setupComplete", "serverContent", "toolCall", "toolCallCancellation", "sessionResumptionUpdate"})
_ELEVENLABS = frozenset(
    {
        "conversation_initiation_metadata",
        "agent_response",
        "user_transcript",
        "agent_chat_response_part",
        "client_error",
    }
)
_LIVE = frozenset({"session.started", "session.output_audio.delta", "session.output_transcript.delta"})
_TWILIO = frozenset({"media", "mark", "clear"})
_TITLES = {
    "openai": "the OpenAI Realtime protocol",
    "openai-beta": "the OpenAI Realtime protocol in its beta shape",
    "azure-voice-live": "Azure Voice Live",
    "qwen-omni": "the protocol of Qwen-Omni",
    "xai": "the protocol of xAI's Grok Voice",
    "gemini-live": "Gemini Live",
    "elevenlabs-agents": "the protocol of ElevenLabs Agents",
    "openai-live": "the OpenAI Live protocol",
    "twilio-media-streams": "Twilio Media Streams",
}


def dialect_spoken(message: Mapping[str, Any]) -> str | None:
    """The dialect of `message`, a server's; None where it does not tell."""
    kind = message.get("type")
    if not isinstance(kind, str):
        error = message.get("error")
        google = isinstance(error, Mapping) and isinstance(error.get("status"), str) and "code" in error
        if not _GEMINI.isdisjoint(message) or google:
            return "gemini-live"
        event = message.get("event")
        return "twilio-media-streams" if isinstance(event, str) and event in _TWILIO else None
    if kind in _ELEVENLABS:
        return "elevenlabs-agents"
    if kind in _LIVE:
        return "openai-live"
    if kind == "session.created":
        session = message.get("session")
        return (dialect_of_session(session) if isinstance(session, Mapping) else None) or "openai"
    shape = shape_of_event(kind)
    if shape is not None:
        return DIALECT_OF[shape]
    error = message.get("error")
    if kind != "error" or not isinstance(error, Mapping):
        return None
    if "client_event_id" in error or "client_event_id" in message:
        return "openai-live"
    return "openai" if "event_id" in error else None


def speaks(spoken: str) -> str:
    """What a call says whose server speaks the dialect `spoken`, and not its own."""
    return f"this server speaks {_TITLES[spoken]}; use dialect: {spoken}"


def wrong_dialect(
    message: Mapping[str, Any], mine: str, at_ns: int, *, related: Collection[str] = ()
) -> ServerError | None:
    """The error that ends a call in dialect `mine` to a server of another one; None where `message` is no proof.

    `related`: dialects that `mine` tells from itself by other means.
    """
    spoken = dialect_spoken(message)
    if spoken is None and not related and _is_error_of_openai(message):
        return wrong(at_ns, "this server speaks a protocol of OpenAI's; use dialect: openai-live, or openai")
    if spoken is None or spoken == mine or spoken in related:
        return None
    return wrong(at_ns, speaks(spoken))


def _is_error_of_openai(message: Mapping[str, Any]) -> bool:
    """An error that Live sends as Realtime does: only an id of the caller's message would be named differently."""
    return message.get("type") == "error" and isinstance(message.get("error"), Mapping)


def refused_variant(mine: str, param: str, spoken: str, at_ns: int) -> ServerError:
    """The error that ends a call of a variant whose own key `param` was refused: the server is of another dialect."""
    return wrong(at_ns, f"this server refuses {param}, as {_TITLES[mine]} writes it; use dialect: {spoken}")


def when_silent(lacks: str) -> str:
    """What a call says of a server that sent no message at all; `lacks`: what it should have sent."""
    return f"the server said nothing at all; a telephone bot waits to be called (twilio-media-streams): {lacks}"


def when_no_websocket(status: int, answer: str) -> str:
    """What a call says of an address at which HTTP is answered, and no WebSocket is opened."""
    return (
        f"no WebSocket is opened at this address (HTTP {status}): is its path right? "
        f"Speech to text over HTTP is called by dialect: openai-transcriptions. The answer was: {answer}"
    )


def when_no_transcriptions(status: int, answer: str) -> str:
    """What a turn says of an address at which there is no speech to text over HTTP."""
    return (
        f"no speech to text is served at this address (HTTP {status}): is its path right? A server that is called over "
        f"a WebSocket does not say here in which dialect. The answer was: {answer}"
    )


def wrong(at_ns: int, said: str) -> ServerError:
    """The error that ends a call which was made in the wrong dialect."""
    return ServerError(at_ns, ErrorInfo("wrong_dialect", "wrong_dialect", said, error_kind="protocol"), fatal=True)
