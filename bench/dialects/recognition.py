"""Which dialect a server speaks, by one of its messages: what a call says that was made in the wrong one.

In: a decoded message. Out: a dialect's name, or None where the message does not tell. Trap: an event that two
protocols share (`ping`, `error`) must not tell, and a server of our own dialect may send what we do not know.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from bench.dialects.openai_shapes import DIALECT_OF, shape_of_event, shape_of_session
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
        return DIALECT_OF[(shape_of_session(session) if isinstance(session, Mapping) else None) or "ga"]
    shape = shape_of_event(kind)
    if shape is not None:
        return DIALECT_OF[shape]
    error = message.get("error")
    if kind != "error" or not isinstance(error, Mapping):
        return None
    return "openai-live" if "client_event_id" in error or "client_event_id" in message else "openai"


def wrong_dialect(
    message: Mapping[str, Any], mine: str, at_ns: int, *, related: Collection[str] = ()
) -> ServerError | None:
    """The error that ends a call in dialect `mine` to a server of another one; None where `message` is no proof.

    `related`: dialects that `mine` tells from itself by other means.
    """
    spoken = dialect_spoken(message)
    if spoken is None or spoken == mine or spoken in related:
        return None
    said = f"this server speaks {_TITLES[spoken]}; use dialect: {spoken}"
    return ServerError(at_ns, ErrorInfo("wrong_dialect", "wrong_dialect", said, error_kind="protocol"), fatal=True)
