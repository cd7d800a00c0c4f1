"""Alibaba's Qwen-Omni over DashScope: the beta shape, with 16 kHz of the caller's audio.

What differs: the path, formats that are called `pcm` (16 kHz in, 24 kHz out), and no speech without its text.
Trap: the server has one transcriber of its own; the scenario names it, or it is refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

from bench.audio.formats import AudioFormat
from bench.dialects.dialect import Address, Endpoint
from bench.dialects.openai_beta import OpenAIBetaDialect

if TYPE_CHECKING:
    from bench.dialects.session_config import SessionConfig

PATH = "/api-ws/v1/realtime"
INPUT_HZ = 16_000


class QwenOmniDialect(OpenAIBetaDialect):
    """The client side of one Qwen-Omni session."""

    name = "qwen-omni"
    vendor = None
    voices = ()
    formats = ("pcm16",)
    asks_by_header = False
    gives_short_keys = False
    _own_keys = frozenset({"session.input_audio_format", "session.output_audio_format"})
    _unused = OpenAIBetaDialect._unused | {"session.finished"}

    def __init__(self, config: SessionConfig, model: str | None = None) -> None:
        super().__init__(config, model)
        self.input_format = AudioFormat("pcm16", INPUT_HZ)

    @classmethod
    def endpoint(cls, address: Address) -> Endpoint:
        """The path, where the address names none."""
        scheme, netloc, path, written, _ = urlsplit(address.url)
        url = urlunsplit((scheme, netloc, path or PATH, written, ""))
        return super().endpoint(Address(url, address.model, address.headers, address.query, address.subprotocols))

    def _session(self) -> dict[str, Any]:
        body = super()._session()
        for key in ("input_audio_format", "output_audio_format"):
            body[key] = "pcm" if body[key] == "pcm16" else body[key]
        return body
