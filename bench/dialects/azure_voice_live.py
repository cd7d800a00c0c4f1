"""Azure AI Speech's Voice Live: the beta shape at another path, with turn detection of its own.

What differs: the path and its dated `api-version`, a sampling rate for the caller's audio, `azure_semantic_vad` in the
place of `semantic_vad`. Key by `api-key`, or an Entra token by `Authorization: Bearer`, as `target` says.
Trap: it sends events that no other server has (visemes, word times, warnings); they are of no use here.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlsplit, urlunsplit

from bench.dialects.dialect import Address, Endpoint
from bench.dialects.openai_beta import OpenAIBetaDialect

API_VERSION = "2025-10-01"
PATH = "/voice-live/realtime"


class AzureVoiceLiveDialect(OpenAIBetaDialect):
    """The client side of one Voice Live session."""

    name = "azure-voice-live"
    vendor = "azure.ai.openai"
    asks_by_header = False
    gives_short_keys = False
    _own_keys = frozenset({"session.input_audio_sampling_rate", "session.turn_detection.type"})
    _unused = OpenAIBetaDialect._unused | {
        "warning",
        "response.audio_timestamp.delta",
        "response.audio_timestamp.done",
        "response.animation_viseme.delta",
        "response.animation_viseme.done",
    }

    @classmethod
    def endpoint(cls, address: Address) -> Endpoint:
        """The path and a version of the API, where the address does not name them."""
        scheme, netloc, path, written, _ = urlsplit(address.url)
        query = dict(address.query)
        if "api-version" not in {*query, *dict(parse_qsl(written))}:
            query["api-version"] = API_VERSION
        url = urlunsplit((scheme, netloc, path or PATH, written, ""))
        return super().endpoint(Address(url, address.model, address.headers, query, address.subprotocols))

    def _session(self) -> dict[str, Any]:
        body = super()._session()
        if self.input_format.encoding == "pcm16":
            body["input_audio_sampling_rate"] = self.input_format.rate_hz
        detection = body["turn_detection"]
        if detection is not None and detection["type"] == "semantic_vad":
            body["turn_detection"] = {**detection, "type": "azure_semantic_vad"}
        return body
