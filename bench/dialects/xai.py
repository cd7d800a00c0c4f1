"""xAI's Grok Voice: the GA shape with a few habits of its own.

What differs: `voice` and `turn_detection` stand at the top level of the session, an answer to each turn has to be asked
for with `create_response`, and usage may stand beside the response in `response.done`.
Trap: its running transcript of the caller comes as `updated`, the whole text each time, and not as pieces to join.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bench.dialects.openai import OpenAIDialect
from bench.dialects.openai_fields import mapping
from bench.facts.signals import Signal


class XaiDialect(OpenAIDialect):
    """The client side of one Grok Voice session."""

    name = "xai"
    vendor = "x_ai"
    voices = ()
    sessions = ("realtime",)
    _own_keys = frozenset({"session.turn_detection", "session.voice"})
    _unused = OpenAIDialect._unused | {"ping"}

    def _session(self) -> dict[str, Any]:
        body = super()._session()
        detection = body["audio"]["input"].pop("turn_detection")
        body["turn_detection"] = detection if detection is None else {"create_response": True, **detection}
        if (voice := body["audio"]["output"].pop("voice", None)) is not None:
            body["voice"] = voice
        return body

    def _response_done(self, message: Mapping[str, Any], at_ns: int) -> Sequence[Signal]:
        response = mapping(message.get("response"))
        if not response.get("usage") and message.get("usage"):
            message = {**message, "response": {**response, "usage": message["usage"]}}
        return super()._response_done(message, at_ns)
