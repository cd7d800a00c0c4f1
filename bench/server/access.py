"""Access control: the bearer key and the short-lived client secrets made with it.

A secret carries the session configuration it was made for; it limits when a socket may be opened, not how long one
lives. Trap: browsers cannot set headers, so the key may also arrive as an offered WebSocket subprotocol.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

import orjson

from bench.server.client_secrets import opened, sealed
from bench.server.http_requests import error_body
from bench.server.protocol import checks, config
from bench.server.protocol.client_errors import ProtocolError, invalid_choice, invalid_type

_KEY_HEADERS = ("api-key", "xi-api-key", "x-goog-api-key")
KEY_SUBPROTOCOL = "openai-insecure-api-key."
SECRET_PREFIX = "ek_"
DEFAULT_SECRET_S = 600
SECRET_LIMITS_S = (10, 7200)
MAX_SECRETS = 100_000


class RequestHeaders(Protocol):
    """The header of a request, read without regard to case."""

    def get(self, name: str, default: str, /) -> str:
        """The first field of that name."""


@dataclass(frozen=True, slots=True)
class Grant:
    """A caller that was let in; `settings` is the configuration baked into a client secret."""

    settings: config.Json | None = None
    model: str | None = None
    """The model that the secret was made for; None: it named none."""
    is_secret: bool = False
    secret: str | None = None
    """The digest of the client secret that was shown; None: it was the key, or none was needed."""


@dataclass(frozen=True, slots=True)
class SecretTerms:
    """What a client secret is asked for."""

    session: config.Json
    """The configuration of sessions that are opened with it, as far as it is told."""
    lifetime_s: float = DEFAULT_SECRET_S
    """How long sessions may be opened with it."""
    uses: int | None = None
    """How many sessions may be; None: any number."""


@dataclass(frozen=True, slots=True)
class _Secret:
    expires_at_s: float
    settings: config.Json
    model: str | None
    uses: int | None = None


@dataclass(slots=True)
class Access:
    """The key of this server (None: open to all) and the secrets in force."""

    api_key: str | None
    default_model: str
    shared_key: str | None = None
    """What the processes of one server sign secrets with; None: this is the only one, and keeps them in a table."""
    _secrets: dict[str, _Secret] = field(default_factory=dict)
    _used: dict[str, tuple[int, float]] = field(default_factory=dict)
    """How often secrets of a limited number of uses were used here, by their digests, and when they expire."""

    def admit(self, headers: RequestHeaders, token: str | None = None, *, opens: bool = False) -> Grant | None:
        """The grant for a request's credentials (`token`, or those of its headers); None when missing or wrong.

        `opens`: a session is opened by it, which is a use of a secret. Each process counts those that it sees.
        """
        token = token or presented_key(headers)
        if token is not None and token.startswith(SECRET_PREFIX):
            secret, name = self._secret_of(token), digest(token)
            if secret is None or secret.expires_at_s < time.time():
                return None
            if secret.uses is not None:
                used = self._used.get(name, (0, 0.0))[0]
                if used >= secret.uses:
                    return None
                if opens:
                    self._forget_uses(time.time())
                    self._used[name] = (used + 1, secret.expires_at_s)
            return Grant(secret.settings, secret.model, is_secret=True, secret=name)
        if self.api_key is None:
            return Grant()
        if token is None or not hmac.compare_digest(token.encode(), self.api_key.encode()):
            return None
        return Grant()

    def make_secret(self, terms: SecretTerms, *, dead: bool = False) -> dict[str, Any]:
        """The answer to `POST /v1/realtime/client_secrets`; raises `ProtocolError` on a wrong session.

        `dead`: the secret has expired before anybody can use it, and its answer does not say so.
        """
        session = terms.session
        default = config.default_of(session, self.default_model)
        settings = config.merged(default, session, voice_locked=False, model_open=True)
        now_s = time.time()
        ends_s = now_s - 1 if dead else now_s + terms.lifetime_s
        value = self._new_secret(_Secret(ends_s, settings, session.get("model"), terms.uses), now_s)
        shown = config.shown(settings, f"sess_{secrets.token_hex(8)}", 0)
        return {"value": value, "expires_at": int(now_s) + int(terms.lifetime_s), "session": shown}

    def _new_secret(self, secret: _Secret, now_s: float) -> str:
        if self.shared_key is not None:
            return SECRET_PREFIX + sealed(self.shared_key, asdict(secret))
        self._forget_expired(now_s)
        value = SECRET_PREFIX + secrets.token_hex(20)
        self._secrets[value] = secret
        return value

    def _secret_of(self, token: str) -> _Secret | None:
        if self.shared_key is None:
            return self._secrets.get(token)
        content = opened(self.shared_key, token.removeprefix(SECRET_PREFIX))
        return _Secret(**content) if content is not None else None

    def _forget_expired(self, now_s: float) -> None:
        if len(self._secrets) >= MAX_SECRETS:
            self._secrets = {key: known for key, known in self._secrets.items() if known.expires_at_s >= now_s}
        if len(self._secrets) >= MAX_SECRETS:
            raise ProtocolError("Too many client secrets are in force.", code="rate_limit_exceeded")

    def _forget_uses(self, now_s: float) -> None:
        if len(self._used) >= MAX_SECRETS:
            self._used = {name: used for name, used in self._used.items() if used[1] >= now_s}


def terms_of(request_body: bytes) -> SecretTerms:
    """What the body of `POST /v1/realtime/client_secrets` asks for; raises `ProtocolError` on a wrong one."""
    body = body_of(request_body)
    session = body.get("session")
    session = {"type": config.REALTIME} if session is None else session
    if not isinstance(session, dict):
        raise invalid_type("session", "an object", session)
    return SecretTerms(session, lifetime_s_of(body.get("expires_after")))


def body_of(request_body: bytes) -> config.Json:
    """The JSON object of a request's body, of an empty one when there is none; raises `ProtocolError`."""
    try:
        body = orjson.loads(request_body) if request_body else {}
    except orjson.JSONDecodeError as error:
        message = f"We could not parse the JSON body of your request: {error}."
        raise ProtocolError(message, code=None) from None
    if not isinstance(body, dict):
        raise invalid_type("body", "an object", body)
    return body


def digest(secret: str) -> str:
    """A word for a client secret that gives nothing of it away: the truth log joins its making and its use by it."""
    return hashlib.sha256(secret.encode()).hexdigest()[:16]


def presented_key(headers: RequestHeaders) -> str | None:
    """The key of a request: bearer header, a header of its own, or subprotocol."""
    scheme, _, token = headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token.strip():
        return token.strip()
    for name in _KEY_HEADERS:
        if key := headers.get(name, ""):
            return key
    for offered in offered_subprotocols(headers):
        if offered.startswith(KEY_SUBPROTOCOL):
            return offered.removeprefix(KEY_SUBPROTOCOL)
    return None


def offered_subprotocols(headers: RequestHeaders) -> list[str]:
    listed = headers.get("Sec-WebSocket-Protocol", "")
    return [name.strip() for name in listed.split(",") if name.strip()]


def accepted_subprotocols(headers: RequestHeaders) -> tuple[str, ...]:
    """One of the offered ones is echoed, or a browser drops the connection; never the one that holds the key."""
    offered = [name for name in offered_subprotocols(headers) if not name.startswith(KEY_SUBPROTOCOL)]
    return ("realtime",) if "realtime" in offered else tuple(offered[:1])


def unauthorized() -> dict[str, Any]:
    """The body of a 401."""
    return error_body("Incorrect API key provided.", code="invalid_api_key")


def lifetime_s_of(value: Any, param: str = "expires_after", default_s: int = DEFAULT_SECRET_S) -> int:
    """How long sessions may be opened with a secret, by the block `param` of a request; raises `ProtocolError`."""
    if value is None:
        return default_s
    if not isinstance(value, dict):
        raise invalid_type(param, "an object", value)
    if value.get("anchor", "created_at") != "created_at":
        raise invalid_choice(f"{param}.anchor", value["anchor"], ["created_at"])
    within_limits = checks.number(*SECRET_LIMITS_S, whole=True)
    return int(within_limits(value.get("seconds", default_s), f"{param}.seconds"))
