"""How a session looks on the wire: messages of a client in, events of the session out, and back.

The session (`bench.server.protocol.session`) speaks the GA shape inside. A `Shape` stands between it and one socket;
this one changes nothing. The truth log names events as the session does, in every shape.
Trap: one event may become several messages, or none: what a shape has no word for is logged with no bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from bench.server.access import RequestHeaders, SecretTerms, offered_subprotocols, terms_of
from bench.server.http_requests import HttpRequest
from bench.server.options import REALTIME_PATH
from bench.server.protocol import config
from bench.server.protocol.client_errors import ProtocolError
from bench.server.protocol.commands import Event


class Shape:
    """The GA shape, and what another one may change of it. One object serves one connection."""

    name: ClassVar[str] = "openai"
    paths: ClassVar[tuple[str, ...]] = (REALTIME_PATH,)
    """Where sockets of this shape are opened; the first is the one that the server prints."""
    model_keys: ClassVar[tuple[str, ...]] = ("model",)
    """Parameters of the URL that name the model."""
    binary: ClassVar[bool] = False
    """Messages to the client go in binary frames, though they are JSON."""
    announces_end: ClassVar[bool] = False
    """The client is told shortly before its session is ended."""
    resumes: ClassVar[bool] = False
    """A session can go on with the conversation of another."""
    beat_ms: ClassVar[int | None] = None
    """How often `beat` is asked what to send by itself; None: never."""
    leaving = False
    """The session is to end: the caller has asked for it, or its set-up cannot be taken,"""
    closing: tuple[int, str] = (1000, "")
    """and this is the code and the reason of the close."""
    caller_name: str | None = None
    """What the caller calls this session, where it is the caller who names it."""
    pcm_in_hz = 24_000
    """Rate of the caller's PCM; a shape may change it while it reads a message."""

    secret_path: ClassVar[str | None] = f"{REALTIME_PATH}/client_secrets"
    """Where a short-lived secret is asked for with the key; None: the vendor gives none."""
    secret_method: ClassVar[str] = "POST"
    secrets_hold_a_session: ClassVar[bool] = True
    """What asks for a secret may configure the session that is opened with it."""

    @classmethod
    def secret_terms(cls, body: bytes) -> SecretTerms:
        """What the body of a request for a secret asks for. Raises `ProtocolError` on a wrong one."""
        return terms_of(body)

    @classmethod
    def secret_answer(cls, request: HttpRequest, made: Mapping[str, Any]) -> Mapping[str, Any]:
        """The answer that gives the secret `made`."""
        return made

    @classmethod
    def key_of(cls, request: HttpRequest) -> str | None:
        """The key of a request, where it is not in a header."""
        return None

    @classmethod
    def refusal(cls, headers: RequestHeaders) -> ProtocolError | None:
        """What is refused only once the socket is open, as the vendor does with its old shape.

        It also refuses a query without `model`; here the engine's own model answers then, so that `--url` with
        nothing but an address works.
        """
        if asks_for_beta(headers):
            message = "The Realtime Beta API is no longer supported. Please use /v1/realtime for the GA API."
            return ProtocolError(message, code="beta_api_shape_disabled")
        return None

    @classmethod
    def model_of(cls, request: HttpRequest) -> str | None:
        """The model that the URL names."""
        return next((found for key in cls.model_keys if (found := request.query(key))), None)

    def settings(self, default: config.Json) -> config.Json:
        """The configuration of a new session, where this shape's own defaults differ."""
        return default

    def settled(self, settings: config.Json) -> config.Json:
        """The configuration after an update, where this shape knows more of it than the update could say."""
        return settings

    def beat(self, elapsed_s: float) -> Iterable[Mapping[str, Any]]:
        """What is sent each `beat_ms`, whatever the session does. Raises `ProtocolError` to end the connection."""
        return ()

    def answers(self) -> Iterable[Mapping[str, Any]]:
        """What answers the message that was just read beside what the session says of it; each is given once."""
        return ()

    def farewell(self, elapsed_s: float) -> Iterable[Mapping[str, Any]]:
        """What is sent before the connection is closed, once `leaving`."""
        return ()

    def incoming(self, message: object) -> Iterable[object]:
        """A client's message as events of the session. Raises `ProtocolError` for what cannot be translated."""
        return (message,)

    def outgoing(self, event: Event) -> Iterable[Mapping[str, Any]]:
        """An event of the session as this shape's messages."""
        return (event,)


def asks_for_beta(headers: RequestHeaders) -> bool:
    """Whether a handshake asks for the shape of 2024, by header or subprotocol."""
    by_header = "realtime=v1" in headers.get("OpenAI-Beta", "")
    return by_header or "openai-beta.realtime-v1" in offered_subprotocols(headers)
