"""A cascade: three HTTP services that hear, think and speak as one agent, and the policy of the server around them.

In: YAML, under `target.cascade` or in a file of its own for `bench serve`. Out: a frozen `CascadeConfig`; keys of the
services are references until `Service.headers` is called.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, WithJsonSchema

from bench.config.block import Block, Complaint, DurationMs, LongerMs, Text, refusal
from bench.config.hosts import is_loopback
from bench.config.problems import load_block
from bench.config.secrets import REFERENCE_HELP, SecretRef, looks_like_key

LEGS = ("stt", "llm", "tts")
_HINT = "docs/cascade.md lists every key; scenarios/cascade.yaml is an example"


def _base_url(value: object) -> object:
    """An http or https URL; credentials inside are refused and not repeated."""
    if not isinstance(value, str):
        return value
    allowed = "allowed: https://host/v1 (also http)"
    try:
        parts = urlsplit(value.strip())
        port_ok = parts.port is None or parts.port > 0
    except ValueError as error:
        raise refusal(f"not a URL ({error}); {allowed}") from error
    if parts.username is not None or parts.password is not None or looks_like_key(value):
        raise refusal(f"a secret in the URL (not shown); allowed in api_key: {REFERENCE_HELP}")
    if parts.scheme not in {"http", "https"}:
        found = f"'{parts.scheme}'" if parts.scheme else "none"
        raise refusal(f"the URL's scheme is {found}; {allowed}")
    if not parts.hostname or not port_ok:
        raise refusal(f"the URL names no {'port' if parts.hostname else 'host'} to call; {allowed}")
    return value.strip().rstrip("/")


BaseUrl = Annotated[str, BeforeValidator(_base_url), WithJsonSchema({"type": "string", "pattern": r"^https?://|\$\{"})]


class Service(Block):
    """What all three services have: where they are, with which key, and how long to wait."""

    url: BaseUrl = Field(
        description="Base URL of its API; the path of the service is added.", examples=["https://api.openai.com/v1"]
    )
    model: Text = Field(description="Model to ask for.")
    api_key: SecretRef | None = Field(
        default=None, description="Where the key is kept: env:NAME or file:PATH.", examples=["env:OPENAI_API_KEY"]
    )
    auth_header: Text = Field(default="Authorization", description="Header that carries the key.", examples=["api-key"])
    auth_scheme: Text | None = Field(
        default="Bearer", description="Word before the key in that header; null for the key alone."
    )
    timeout: LongerMs = Field(
        default=10_000, description="How long to wait for a connection, and for each next piece.", examples=["10s"]
    )
    extra: dict[str, Any] = Field(
        default_factory=dict, description="More fields of the request.", examples=[{"temperature": 0.3}]
    )

    def headers(self, env: Mapping[str, str], base: Path) -> dict[str, str]:
        """The header that carries the key, with the key in it; BenchError when it cannot be had."""
        if self.api_key is None:
            return {}
        key = self.api_key.resolve(env, base)
        return {self.auth_header: f"{self.auth_scheme} {key}" if self.auth_scheme else key}


class SttService(Service):
    """`POST /audio/transcriptions`: the vendor's, or a Whisper server of one's own."""

    model: Text = Field(description="Model to ask for.", examples=["gpt-4o-mini-transcribe"])
    language: Text | None = Field(
        default=None, description="Language of the caller; absent: it is detected.", examples=["en"]
    )
    response_format: Literal["json", "text"] = Field(default="json", description="What to ask for; both are read.")


class LlmService(Service):
    """`POST /chat/completions`, streamed."""

    model: Text = Field(description="Model to ask for.", examples=["gpt-4.1-mini"])


class TtsService(Service):
    """`POST /audio/speech`: raw PCM in chunks."""

    model: Text = Field(description="Model to ask for.", examples=["gpt-4o-mini-tts"])
    voice: Text | None = Field(
        default=None, description="Voice to ask for; absent: that of the session.", examples=["alloy"]
    )
    rate: Annotated[int, Field(ge=8000, le=48_000)] = Field(
        default=24_000, description="Samples per second of the PCM that it sends.", examples=[22_050]
    )


class Endpointing(Block):
    """When the caller's turn is over."""

    detector: Literal["level", "webrtc"] = Field(
        default="level", description="What finds speech: the level above the noise and pitch, or WebRTC's detector."
    )
    silence: LongerMs | None = Field(
        default=None,
        description="Silence that ends a turn; absent: what the session asks for.",
        examples=["500ms"],
    )
    aggressiveness: Annotated[int, Field(ge=0, le=3)] | None = Field(
        default=None,
        description="Of WebRTC's detector, 0 to 3: how readily it calls something no speech; absent: 2.",
        examples=[2],
    )

    def complaints(self) -> Iterator[Complaint]:
        if self.aggressiveness is not None and self.detector != "webrtc":
            yield Complaint(("aggressiveness",), "only with detector: webrtc")


class Sentences(Block):
    """How the words of the model are cut into what is spoken at a time."""

    split: Literal["sentence", "clause", "whole"] = Field(
        default="sentence", description="Where to cut: at ends of sentences, at commas too, or nowhere."
    )
    shortest: Annotated[int, Field(ge=1, le=400)] = Field(
        default=8, description="Characters; what is shorter is spoken with what follows."
    )
    ahead: Annotated[int, Field(ge=1, le=8)] = Field(
        default=2, description="Requests for speech under way at once, the one that is being sent included."
    )


class BargeInPolicy(Block):
    """What it does when the caller speaks while a reply is sent or heard."""

    enabled: bool = Field(default=True, description="Whether that ends the reply; if not, it is not heard at all.")
    shortest: DurationMs = Field(
        default=0, description="Speech that is shorter ends no reply and is no turn.", examples=["300ms"]
    )


class CascadeConfig(Block):
    """Speech to text, chat and text to speech, called one after the other for each turn."""

    stt: SttService = Field(description="Speech to text.")
    llm: LlmService = Field(description="Chat.")
    tts: TtsService = Field(description="Text to speech.")
    endpointing: Endpointing = Field(default=Endpointing(), description="When a turn is over.")
    sentences: Sentences = Field(default=Sentences(), description="What is spoken at a time.")
    barge_in: BargeInPolicy = Field(default=BargeInPolicy(), description="Callers who speak into a reply.")

    @property
    def model(self) -> str:
        """The three models as one name."""
        return " + ".join((self.stt.model, self.llm.model, self.tts.model))

    def services(self) -> Iterator[tuple[str, Service]]:
        """The services by name, in the order in which they are called."""
        for leg in LEGS:
            yield leg, getattr(self, leg)

    def secrets(self, env: Mapping[str, str], base: Path) -> tuple[str, ...]:
        """Every key; BenchError when one cannot be had."""
        return tuple(each.api_key.resolve(env, base) for _, each in self.services() if each.api_key is not None)

    @property
    def exposures(self) -> list[str]:
        """Keys that others could read on their way."""
        found = []
        for leg, service in self.services():
            parts = urlsplit(service.url)
            if parts.scheme == "http" and service.api_key is not None and not is_loopback(parts.hostname or ""):
                said = f"the key of {leg} is sent to {parts.hostname} without encryption (http://)"
                found.append(f"{said}, so that anyone on the way can read it; use https://")
        return found


def load_cascade(path: Path) -> CascadeConfig:
    """The cascade of a file for `bench serve`; ConfigError lists all that is wrong with it."""
    return load_block(path, CascadeConfig, needs="stt, llm and tts, each with url and model", hint=_HINT)
