"""The dialects that the server speaks, one file each: the session inside stays the same for all of them.

In: a name of `bench serve --dialect`. Out: a `Shape`, which translates one connection's messages. A new one is a new
file and one line in `_SHIPPED`.
"""

from __future__ import annotations

from importlib import import_module

from bench.errors import BenchError
from bench.server.protocol.shapes.shape import Shape

_SHIPPED = {
    "openai": "bench.server.protocol.shapes.shape:Shape",
    "openai-beta": "bench.server.protocol.shapes.openai_beta:BetaShape",
    "azure-voice-live": "bench.server.protocol.shapes.variants:VoiceLiveShape",
    "qwen-omni": "bench.server.protocol.shapes.variants:QwenShape",
    "elevenlabs-agents": "bench.server.protocol.shapes.elevenlabs_agents:AgentsShape",
    "openai-live": "bench.server.protocol.shapes.openai_live:LiveShape",
    "gemini-live": "bench.server.protocol.shapes.gemini_live:GeminiShape",
    "twilio-media-streams": "bench.server.protocol.shapes.twilio_media_streams:BotShape",
    "xai": "bench.server.protocol.shapes.xai:XaiShape",
}
HTTP = "openai-http"
"""Three HTTP services in the place of sessions: `bench.server.http_legs`."""


def shape_of(name: str) -> type[Shape]:
    """The shape called `name`. Raises `BenchError` for an unknown one."""
    if name not in _SHIPPED:
        allowed = ", ".join([*_SHIPPED, HTTP])
        raise BenchError(f"--dialect {name}: the server does not speak it", hint=f"allowed: {allowed}")
    module, _, attribute = _SHIPPED[name].partition(":")
    found: type[Shape] = getattr(import_module(module), attribute)
    return found
