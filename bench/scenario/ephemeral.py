"""How a target's key is used: as it is, or to ask for a short-lived one that the call is made with.

In: `auth` of a target, a word or a mapping. Out: an `Ephemeral`, or None for the key itself. Trap: the lifetime
bounds when a call may begin; the server does not end a call because its key has expired.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal
from urllib.parse import parse_qsl, urlsplit

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, WithJsonSchema

from bench.config.block import Block, Complaint, DurationMs, nearest, refusal
from bench.config.secrets import looks_like_key, names_secret

SHORTEST_MS, LONGEST_MS = 10_000, 7_200_000
_WORDS = ("key", "ephemeral")


def _lifetime(ms: int) -> int:
    if not SHORTEST_MS <= ms <= LONGEST_MS or ms % 1000:
        raise refusal(f"found {ms}ms; allowed: 10s to 2h, in whole seconds")
    return ms


def _url(value: object) -> object:
    allowed = "allowed: https://host/path (also http)"
    if not isinstance(value, str):
        raise refusal(f"not a URL; {allowed}")
    parts = urlsplit(value.strip())
    if parts.username is not None or parts.password is not None:
        raise refusal("a user name or password in the URL (not shown); put what the backend asks for under headers")
    if any(looks_like_key(text) or names_secret(name) for name, text in parse_qsl(parts.query)):
        raise refusal("a secret in the URL's parameters (not shown); put it under headers as env:NAME")
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.fragment:
        raise refusal(f"found '{value[:80]}'; {allowed}")
    return value.strip()


class Ephemeral(Block):
    """Each call asks for a short-lived key with `api_key`, and is made with that."""

    model_config = ConfigDict(json_schema_extra={"required": ["type"]})

    type: Literal["ephemeral"] = Field(default="ephemeral", description="By a short-lived key.")
    lifetime_ms: Annotated[DurationMs, AfterValidator(_lifetime)] = Field(
        default=600_000, alias="lifetime", description="How long the short-lived key is asked for.", examples=["10m"]
    )
    reuse: bool = Field(
        default=False,
        description="Whether the calls of a worker share a key until it is about to expire; otherwise each call asks "
        "for one of its own.",
    )
    renew_ms: DurationMs = Field(
        default=30_000, alias="renew", description="How long before its end a shared key is replaced.", examples=["30s"]
    )
    url: (
        Annotated[str, BeforeValidator(_url), WithJsonSchema({"type": "string", "pattern": r"^https?://|\$\{"})] | None
    ) = Field(
        default=None,
        description="Where to ask for it; absent: the path of the calls and /client_secrets.",
        examples=["https://backend.example.com/session"],
    )

    def complaints(self) -> Iterator[Complaint]:
        """A key that would be replaced as soon as it is there."""
        if self.reuse and self.renew_ms >= self.lifetime_ms:
            yield Complaint(("renew",), "found a time that is not shorter than lifetime; allowed: a shorter one")


def _auth(value: object) -> object:
    if value is None or value == "key":
        return None
    if value == "ephemeral":
        return {"type": "ephemeral"}
    allowed = "allowed: key, ephemeral, or a mapping with type: ephemeral"
    if isinstance(value, Mapping):
        kind = value.get("type")
        if kind != "ephemeral":
            raise refusal(f"found {'no type' if kind is None else repr(kind)}; {allowed}")
    elif not isinstance(value, Ephemeral):
        raise refusal(f"found {value!r}; {allowed}{nearest(str(value), _WORDS)}")
    return value


def _words_too(schema: dict[str, Any]) -> None:
    """For editors: the plain words are allowed as well."""
    schema["anyOf"] = [{"enum": list(_WORDS)}, *schema["anyOf"]]


Auth = Annotated[Ephemeral | None, BeforeValidator(_auth)]
"""None: the key itself."""


def auth_field() -> Any:
    """The field `auth` of a target."""
    return Field(
        default=None,
        description="Whether calls are made with api_key itself (key), or with a short-lived key that it is used to "
        "ask for (ephemeral).",
        examples=["ephemeral", {"type": "ephemeral", "lifetime": "10m", "reuse": True}],
        json_schema_extra=_words_too,
    )
