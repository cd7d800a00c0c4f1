"""Requests to one service of a cascade: over a pool of connections that stay open, with what each took.

In: bodies. Out: answers as they come, with their times and what they are billed at (`Work`).
Trap: times begin when the request goes out (a new connection included), not when it was decided on, and end when the
answer comes in, not when it was made sense of: what this program adds is not counted as the service's.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from bench.errors import BenchError
from bench.scenario.cascade import Service
from bench.server.engines.cascade.http_client import Answer, HttpError, HttpPool, Request
from bench.server.engines.cascade.leg_error import malformed, of_exception, of_status
from bench.transport.tls import context_for


@dataclass(slots=True)
class Work:
    """One request: when it went out, when the first and the last of its answer came, and what was used."""

    model: str
    sent_ns: int | None = None
    first_ns: int | None = None
    ended_ns: int | None = None
    usage: dict[str, float] = field(default_factory=dict)
    """Counts under their names on the wire (`bench.server.engines.cascade.report`)."""
    repeated: bool = False
    """The service had closed the idle connection, and it went out once more."""

    def sent(self, at_ns: int) -> None:
        """It goes out."""
        self.sent_ns = at_ns

    def first(self, at_ns: int) -> None:
        """Something of the answer has come."""
        if self.first_ns is None:
            self.first_ns = at_ns


class Caller:
    """The connections to one service."""

    def __init__(self, leg: str, service: Service, headers: Mapping[str, str]) -> None:
        """Raises `BenchError` for a key that no header can carry."""
        self.leg = leg
        context = context_for(None, verify=True) if service.url.startswith("https:") else None
        try:
            self._pool = HttpPool(service.url, headers, timeout_s=service.timeout / 1000, context=context)
        except ValueError:
            raise BenchError(
                f"{leg}: its key cannot be sent in the header {service.auth_header}",
                hint="a header is one line of ASCII; see what env: or file: of api_key holds",
            ) from None

    async def knock(self) -> None:
        """Open a first connection; whatever the answer is, somebody is there. Raises `LegError`."""
        try:
            answer = await self._pool.ask("GET", "/models", _unnoted)
            try:
                await answer.read()
            finally:
                answer.leave()
        except HttpError as error:
            raise of_exception(self.leg, error, began=False) from error

    def prepare(self, count: int) -> None:
        """Have so many connections open that nobody uses."""
        self._pool.prepare(count)

    def begin(self, path: str, work: Work, content_type: str, body: bytes) -> Call:
        """Send a request now, if a connection is free."""
        request = self._pool.begin("POST", path, work.sent, content_type=content_type, body=body)
        return Call(self.leg, request, work)

    async def close(self) -> None:
        """Close every connection."""
        await self._pool.close()


class Call:
    """One request that goes out: read its `answer`, or leave it."""

    def __init__(self, leg: str, request: Request, work: Work) -> None:
        self.work = work
        self._leg, self._request = leg, request

    @asynccontextmanager
    async def answer(self) -> AsyncIterator[Answer]:
        """An answer whose status is good, to be read as it comes; what goes wrong with it is raised as `LegError`."""
        work = self.work
        try:
            answer = await self._request.answer()
            work.repeated = answer.repeated
            try:
                if answer.status != 200:
                    raise of_status(self._leg, answer.status, await answer.read())
                if (coding := answer.get("content-encoding")) not in {"", "identity"}:
                    raise malformed(self._leg, f"an answer that is packed ({coding}), which was not asked for")
                yield answer
            finally:
                answer.leave()
        except HttpError as error:
            raise of_exception(self._leg, error, began=work.first_ns is not None) from error
        finally:
            work.ended_ns = work.ended_ns or time.monotonic_ns()

    def leave(self) -> None:
        """It is not wanted any more; once its answer is read, it ends with that."""
        self._request.leave()


def _unnoted(_at_ns: int) -> None:
    """A request whose time nobody asks for."""
