"""The server that a scenario calls: protocol, address, model and credentials.

Secrets are references (`env:`, `file:`) until `auth_headers`, `headers_with_secrets` or `query_with_secrets` is called.
Trap: what these return contains secrets; pass it to the socket and nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import parse_qsl, urlsplit, urlunsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    GetJsonSchemaHandler,
    PlainSerializer,
    PlainValidator,
    SerializationInfo,
    SerializerFunctionWrapHandler,
    WithJsonSchema,
    model_serializer,
)
from pydantic_core import CoreSchema

from bench.config.block import Block, Complaint, ScenarioPath, Text, nearest, raise_all, refusal
from bench.config.hosts import is_loopback
from bench.config.secrets import REFERENCE_HELP, SecretRef, is_reference, looks_like_key, names_secret
from bench.dialects import DEFAULT_DIALECT, dialect_names, dialect_of
from bench.dialects.dialect import Address
from bench.dialects.session_config import SessionConfig
from bench.scenario.cascade import CascadeConfig
from bench.scenario.ephemeral import Auth, auth_field
from bench.scenario.run_config import Pricing
from bench.transport import schemes

_READ_AS = {"http": "ws", "https": "wss"}
CASCADE_NAME = "cascade"
"""Label of a target that is a cascade and has no other."""
EMBEDDED_NAME = "embedded"
"""Name of the target of a run that starts its own server."""


def _url(value: object) -> object:
    """A ws or wss URL; http and https are read as ws and wss. Credentials inside are refused and not repeated."""
    if not isinstance(value, str):
        return value
    allowed = "allowed: wss://host/path (also ws, http, https)"
    try:
        parts = urlsplit(value.strip())
        port_ok = parts.port is None or parts.port > 0
    except ValueError as error:
        raise refusal(f"not a URL ({error}); {allowed}") from error
    if parts.username is not None or parts.password is not None:
        raise refusal(f"a user name or password in the URL (not shown); allowed in api_key: {REFERENCE_HELP}")
    for name, text in parse_qsl(parts.query):
        if looks_like_key(text) or names_secret(name):
            raise refusal(f"a secret in the URL's parameter '{name}' (not shown); put it under query as env:NAME")
    scheme = parts.scheme.lower()
    scheme = _READ_AS.get(scheme, scheme)
    if scheme not in schemes():
        found = f"'{parts.scheme}'" if parts.scheme else "none"
        raise refusal(f"the URL's scheme is {found}; {allowed}")
    if not parts.hostname or not port_ok:
        raise refusal(f"the URL names no {'port' if parts.hostname else 'host'} to call; {allowed}")
    if parts.fragment:
        raise refusal(f"the URL has a fragment (#...), which cannot be sent to a server; {allowed}")
    return urlunsplit((scheme, parts.netloc, parts.path, parts.query, ""))


def _text_or_secret(value: object) -> str | SecretRef:
    if isinstance(value, SecretRef):
        return value
    if not isinstance(value, str):
        raise refusal("not a text; allowed: a text in quotes, env:NAME or file:PATH")
    if not is_reference(value):
        if looks_like_key(value):
            raise refusal(f"a secret must not be written into a scenario (not shown); allowed: {REFERENCE_HELP}")
        return value
    try:
        return SecretRef.parse(value)
    except ValueError as error:
        raise refusal(f"{error}; allowed: {REFERENCE_HELP}") from error


def _no_credentials(values: dict[str, str | SecretRef]) -> dict[str, str | SecretRef]:
    """Refuse literal values of names that hold a secret, and values that do not fit in one line."""
    found = []
    for name, value in values.items():
        if isinstance(value, str) and names_secret(name):
            found.append(Complaint((name,), f"'{name}' must not be written out (not shown); allowed: {REFERENCE_HELP}"))
        elif not name or any(character in f"{name}{value}" for character in "\r\n\0"):
            found.append(Complaint((name,), "an empty name or a line break; allowed: a name and one line of text"))
    raise_all("values", found)
    return values


Url = Annotated[
    str,
    BeforeValidator(_url),
    WithJsonSchema({"type": "string", "pattern": r"^(wss?|https?)://|\$\{"}),
]
Value = Annotated[
    str | SecretRef,
    PlainValidator(_text_or_secret),
    PlainSerializer(str, return_type=str),
    WithJsonSchema({"type": "string"}),
]
"""A text, or a reference to a secret."""
Values = Annotated[dict[str, Value], AfterValidator(_no_credentials)]


def _dialect(value: object) -> object:
    known = dialect_names()
    if isinstance(value, str) and value not in known:
        raise refusal(f"found '{value}'; allowed: {', '.join(known)}{nearest(value, known)}")
    return value


class _DialectWords:
    """For editors: the dialects of this version, looked up when the schema is made."""

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        names = list(dialect_names())
        return {"const": names[0], "type": "string"} if len(names) == 1 else {"enum": names, "type": "string"}


class Target(Block):
    """A server to call. Left out of a scenario, the embedded reference server is started for the run."""

    dialect: Annotated[str, BeforeValidator(_dialect), _DialectWords()] = Field(
        default=DEFAULT_DIALECT, description="The wire protocol.", examples=["openai"]
    )
    url: Url | None = Field(
        default=None,
        description="Address, ws or wss (http and https are read as such); may be given with --url instead.",
        examples=["wss://api.openai.com/v1/realtime"],
    )
    model: Text | None = Field(default=None, description="Model to ask for.", examples=["gpt-realtime-mini"])
    api_key: SecretRef | None = Field(
        default=None, description="Where the key is kept: env:NAME or file:PATH.", examples=["env:OPENAI_API_KEY"]
    )
    auth_header: Text = Field(
        default="Authorization", description="Header that carries the key.", examples=["Authorization", "api-key"]
    )
    auth_scheme: Text | None = Field(
        default="Bearer", description="Word before the key in that header; null for the key alone.", examples=["Bearer"]
    )
    auth: Auth = auth_field()
    headers: Values = Field(
        default_factory=dict,
        description="More headers of the handshake; a value may be env:NAME or file:PATH.",
        examples=[{"OpenAI-Project": "proj_123"}],
    )
    query: Values = Field(
        default_factory=dict,
        description="Parameters added to the URL; a value may be env:NAME or file:PATH.",
        examples=[{"api-version": "2025-04-01-preview"}],
    )
    provider: Text | None = Field(
        default=None,
        description="Label of this target in rows and reports; default: its name under targets, else the host.",
        examples=["openai", "azure-sweden"],
    )
    ca_file: ScenarioPath | None = Field(
        default=None, description="PEM file of certificate authorities to trust.", examples=["company-ca.pem"]
    )
    verify_tls: bool = Field(default=True, description="Whether the server's certificate must be valid.")
    cascade: CascadeConfig | None = Field(
        default=None,
        description="Services that a server of this run's own calls, in the place of a url: see cascade.md.",
        examples=[
            {
                "stt": {"url": "https://api.openai.com/v1", "model": "gpt-4o-mini-transcribe"},
                "llm": {"url": "https://api.openai.com/v1", "model": "gpt-4.1-mini"},
                "tts": {"url": "https://api.openai.com/v1", "model": "gpt-4o-mini-tts"},
            }
        ],
    )
    subprotocols: tuple[Text, ...] = Field(
        default=(), description="WebSocket subprotocols to offer, in order.", examples=[["realtime"]]
    )

    session: SessionConfig | None = Field(
        default=None,
        description="Under targets: keys of session that are different for this target.",
        examples=[{"voice": {"name": "af_heart"}}],
    )
    pricing: Pricing | None = Field(
        default=None,
        description="Under targets: keys of pricing that are different for this target.",
        examples=[{"model": "gpt-realtime-mini"}],
    )

    @model_serializer(mode="wrap")
    def _without_unused(self, handler: SerializerFunctionWrapHandler, info: SerializationInfo) -> dict[str, Any]:
        """What a target changes for itself is the keys that were given, not their defaults."""
        data: dict[str, Any] = handler(self)
        for key, block in (("session", self.session), ("pricing", self.pricing)):
            if key in data:
                data.pop(key)
                if block is not None:
                    data[key] = block.model_dump(
                        mode=info.mode, by_alias=info.by_alias, exclude_unset=True, context=info.context
                    )
        return data

    def complaints(self) -> Iterator[Complaint]:
        """A key that would be sent twice, and TLS settings that cancel each other."""
        if self.cascade is not None and self.model is not None:
            yield Complaint(("model",), "found with cascade; allowed: a model for each of cascade.stt, llm and tts")
        if self.api_key is not None and self.auth_header.lower() in {name.lower() for name in self.headers}:
            yield Complaint(("headers",), f"'{self.auth_header}' is also what api_key is sent in; allowed: one of them")
        if self.auth is not None:
            yield from self._complaints_of_ephemeral()
        if self.ca_file is not None and not self.verify_tls:
            yield Complaint(("ca_file",), "has no effect with verify_tls: false; remove one of them")

    def _complaints_of_ephemeral(self) -> Iterator[Complaint]:
        if self.api_key is None:
            yield Complaint(("auth",), "found without api_key, which a short-lived key is asked for with; add api_key")
        if self.dialect in dialect_names() and not dialect_of(self.dialect).gives_short_keys:
            able = ", ".join(name for name in dialect_names() if dialect_of(name).gives_short_keys)
            yield Complaint(("auth",), f"dialect {self.dialect} has no short-lived keys; allowed with: {able}")

    @property
    def provider_name(self) -> str:
        """The label of rows: `provider`, else what a cascade is called, the host of `url`, or the dialect."""
        host = urlsplit(self.url).hostname if self.url else None
        return self.provider or (CASCADE_NAME if self.cascade is not None else host) or self.dialect

    def auth_headers(self, env: Mapping[str, str], base: Path) -> dict[str, str]:
        """The header that carries the key, with the key in it; empty without `api_key`."""
        if self.api_key is None:
            return {}
        key = self.api_key.resolve(env, base)
        return {self.auth_header: f"{self.auth_scheme} {key}" if self.auth_scheme else key}

    def headers_with_secrets(self, env: Mapping[str, str], base: Path) -> dict[str, str]:
        """`headers` and `auth_headers` as they go on the wire; BenchError when a secret cannot be had."""
        return _resolved(self.headers, env, base) | self.auth_headers(env, base)

    def query_with_secrets(self, env: Mapping[str, str], base: Path) -> dict[str, str]:
        """`query` as it goes on the wire; BenchError when a secret cannot be had."""
        return _resolved(self.query, env, base)

    def secrets(self, env: Mapping[str, str], base: Path) -> tuple[str, ...]:
        """Every secret that this target refers to, whatever the name of its header or parameter."""
        found = [self.api_key, *self.headers.values(), *self.query.values()]
        own = () if self.cascade is None else self.cascade.secrets(env, base)
        return (*(each.resolve(env, base) for each in found if isinstance(each, SecretRef)), *own)

    @property
    def exposures(self) -> list[str]:
        """How others could read what is sent to this target, as warnings; none on this machine itself."""
        if self.cascade is not None:
            return self.cascade.exposures
        parts = urlsplit(self.url or "")
        host = parts.hostname
        if self.auth is not None and self.auth.url is not None:
            elsewhere = urlsplit(self.auth.url)
            if elsewhere.scheme == "http" and not is_loopback(elsewhere.hostname or ""):
                said = f"the key is sent to {elsewhere.hostname} without encryption (auth.url is http://)"
                return [f"{said}, so that anyone on the way can read it; use https://"]
        if host is None or is_loopback(host):
            return []
        found = [self.api_key, *self.headers.values(), *self.query.values()]
        secret = any(isinstance(each, SecretRef) for each in found)
        if parts.scheme == "ws":
            said = f"the key is sent to {host} without encryption (ws://), so that anyone on the way can read it"
            return [f"{said}; use wss://, or a key that is worth nothing elsewhere"] if secret else []
        if self.verify_tls:
            return []
        read = "read the key and the calls" if secret else "read the calls"
        said = f"the certificate of {host} is not checked (verify_tls: false), so that anyone on the way can pose as it"
        return [f"{said} and {read}; name the authority that signed it with ca_file instead"]

    def address(self, env: Mapping[str, str], base: Path) -> Address:
        """What a dialect needs to know to call it, secrets included; BenchError when one cannot be had."""
        return Address(
            url=self.url or "",
            model=self.model,
            headers=self.headers_with_secrets(env, base),
            query=self.query_with_secrets(env, base),
            subprotocols=self.subprotocols,
            key_header=self.auth_header if self.api_key is not None else None,
        )


def _resolved(values: Mapping[str, str | SecretRef], env: Mapping[str, str], base: Path) -> dict[str, str]:
    return {name: value.resolve(env, base) if isinstance(value, SecretRef) else value for name, value in values.items()}
