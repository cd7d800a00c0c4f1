"""Short-lived keys: each call asks for its own, or the calls of a worker share one until it is about to expire.

In: what asks for one, and how a call is made with it. Out: the options that a call connects with. Trap: the server
says by its own clock when a key ends; if that lies in the past here, the clocks differ, and the key serves one call.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

from gevent.lock import RLock

from bench.config.redactor import Redactor
from bench.dialects.dialect import Address, Dialect, KeyTerms, ShortKey
from bench.facts.connection import Connection
from bench.facts.failure import Failure
from bench.facts.http import HttpRequest
from bench.transport.channel import ConnectOptions, TransportError
from bench.transport.exchange import exchange
from bench.transport.failures import cleaned, of_status

EXPIRED = "secret_expired"


@dataclass(frozen=True, slots=True)
class _Held:
    key: ShortKey
    ends_ns: int
    """Monotonic; when it expires, as far as is known here."""


@dataclass(frozen=True, slots=True)
class TokenPolicy:
    """What a scenario says of short-lived keys."""

    lifetime_s: int
    reuse: bool
    renew_s: float
    url: str | None = None


class Tokens:
    """The short-lived keys of one worker for one target."""

    def __init__(self, speaks: type[Dialect], address: Address, connect: ConnectOptions, policy: TokenPolicy) -> None:
        """`connect`: the options of a call, of which the address and the headers are replaced."""
        self._speaks = speaks
        self._address = address
        self._connect = connect
        self._policy = policy
        self._held: _Held | None = None
        self._asking = RLock()

    def admit(self, connection: Connection, redactor: Redactor) -> tuple[ConnectOptions, int]:
        """The options that a call connects with, and when its key ends (monotonic ns).

        `connection` learns how long the key took, and `redactor` the key. Raises `TransportError` at stage `token`.
        """
        connection.started_ns = time.monotonic_ns()
        held = self._take(connection, redactor)
        redactor.add(held.key.value)
        endpoint = self._speaks.endpoint_with(self._address, held.key)
        options = replace(
            self._connect,
            url=endpoint.url,
            headers=endpoint.headers,
            subprotocols=endpoint.subprotocols,
            redactor=redactor,
        )
        return options, held.ends_ns

    def refused(self, failure: Failure, ends_ns: int) -> Failure:
        """`failure` of a handshake, named after the key where that had expired. A refused key serves no other call."""
        if failure.error_kind != "auth":
            return failure
        self._held = None
        return replace(failure, error_code=EXPIRED) if time.monotonic_ns() >= ends_ns else failure

    def _take(self, connection: Connection, redactor: Redactor) -> _Held:
        if not self._policy.reuse:
            return self._new(connection, redactor)
        if (held := self._good()) is not None:
            connection.token = "kept"
            return held
        with self._asking:  # one asks, the others wait for its answer
            held = self._good()
            if held is None:
                self._held = held = self._new(connection, redactor)
            else:
                connection.done("token")
                connection.token = "new"
            return held

    def _good(self) -> _Held | None:
        held = self._held
        if held is None or time.monotonic_ns() >= held.ends_ns - round(self._policy.renew_s * 1e9):
            return None
        return held

    def _new(self, connection: Connection, redactor: Redactor) -> _Held:
        asked_ns = time.monotonic_ns()
        try:
            answer = exchange(self._request(), replace(self._connect, redactor=redactor))
            if not 200 <= answer.status < 300:
                raise TransportError(of_status(answer.status, answer.headers, answer.body))
            key = self._speaks.short_key(answer.body)
        except TransportError as error:
            raise TransportError(cleaned(replace(error.failure, stage="token"), redactor)) from None
        except ValueError as error:
            raise TransportError(Failure("protocol", "token", "no_token", str(error), http_status=200)) from None
        connection.stages["token"] = answer.at_ns
        connection.token = "new"
        return _Held(key, asked_ns + self._lifetime_ns(key))

    def _request(self) -> HttpRequest:
        policy = self._policy
        terms = KeyTerms(policy.lifetime_s, policy.url, shared=policy.reuse, now_s=time.time())
        return self._speaks.short_key_request(self._address, terms)

    def _lifetime_ns(self, key: ShortKey) -> int:
        """How long a key that was just given is good for: as asked, or less where the server says so."""
        told_s = None if key.expires_at_s is None else max(0.0, key.expires_at_s - time.time())
        asked_s = float(self._policy.lifetime_s)
        return round((asked_s if told_s is None else min(asked_s, told_s)) * 1e9)
