"""Requests over HTTP: dial, send, read the whole answer; on a connection of their own, or on one that is kept.

In: an `HttpRequest` and the options of the connection (certificates, proxies, time). Out: an `HttpAnswer`, whatever its
status. Trap: a body that was cut short is no answer; what stands in a refusal is for the caller to judge.
"""

from __future__ import annotations

import time
from dataclasses import replace
from urllib.parse import urlsplit

from bench import __version__
from bench.facts.connection import Connection
from bench.facts.http import HttpAnswer, HttpRequest
from bench.transport.channel import ConnectOptions, TransportError
from bench.transport.dial import Dialing, dial
from bench.transport.failures import Part, cleaned, of_broken_answer, of_os_error, of_timeout
from bench.transport.http import Head, NotHttpError, dechunked, read_head
from bench.transport.patience import Patience
from bench.transport.wire import SendTimeoutError, Wire

MOST_BYTES = 4 * 1024 * 1024
_PORTS = {False: 80, True: 443}
_LAST_CHUNK = b"0\r\n\r\n"


def exchange(request: HttpRequest, options: ConnectOptions) -> HttpAnswer:
    """Send `request` and return its answer; raises `TransportError` when there is none, with secrets taken out.

    Of `options`, its URL, headers and subprotocols are another connection's; `connect_timeout_s` bounds the whole.
    """
    parts = urlsplit(request.url)
    wire = KeptWire(options, parts.hostname or "", parts.port, secure=parts.scheme == "https")
    timer = Patience(options.connect_timeout_s)
    try:
        own = replace(request, headers={**request.headers, "Connection": "close"})
        return wire.exchange(own)
    except BaseException as error:
        if error is timer.expired:
            raise TransportError(of_timeout(wire.part, options.connect_timeout_s)) from None
        raise
    finally:
        timer.close()
        wire.close()


class KeptWire:
    """A connection to one host for one request after the other, opened anew when the server has closed it."""

    def __init__(self, options: ConnectOptions, host: str, port: int | None, *, secure: bool) -> None:
        self._options = options
        self._host, self._port, self._secure = host, port or _PORTS[secure], secure
        self._redactor = options.knowing_secrets()
        self._progress = Dialing(0)
        self._wire: Wire | None = None
        self.stamped = False
        """The last answer bears the kernel's own time of arrival."""

    @property
    def part(self) -> Part:
        """What it is busy with."""
        return self._progress.part

    def open(self, connection: Connection) -> None:
        """Dial, noting the stages in `connection`. Raises `TransportError`."""
        now_ns = time.monotonic_ns()
        self._progress = Dialing(now_ns + int(self._options.connect_timeout_s * 1e9))
        timer = Patience(self._options.connect_timeout_s)
        try:
            self._wire = dial(
                self._host,
                self._port,
                secure=self._secure,
                options=self._options,
                connection=connection,
                progress=self._progress,
                redactor=self._redactor,
            )
        except BaseException as error:
            self._progress.abandon()
            if error is timer.expired:
                late = of_timeout(self._progress.part, self._options.connect_timeout_s)
                raise TransportError(late) from None
            if isinstance(error, TransportError):
                raise TransportError(cleaned(error.failure, self._redactor)) from None
            raise
        finally:
            timer.close()
        self._progress.part = "request"

    def exchange(self, request: HttpRequest) -> HttpAnswer:
        """Send `request` and read its whole answer. Raises `TransportError`; no bound on the time but the caller's."""
        kept = self._wire is not None
        try:
            return self._exchange(request)
        except TransportError as error:
            # An idle connection that the server has closed says so only now: nothing was answered on it.
            gone = error.failure.error_code in {"closed", "reset"} and error.failure.http_status is None
            if not kept or not gone:
                raise
            self.close()
            return self._exchange(request)

    def _exchange(self, request: HttpRequest) -> HttpAnswer:
        if self._wire is None:
            now_ns = time.monotonic_ns()
            self.open(Connection(now_ns, now_ns))
        assert self._wire is not None
        where = f"{self._host}:{self._port}"
        try:
            answer = _answered(self._wire, request, where, self._options.send_timeout_s)
        except TransportError as error:
            self.close()
            raise TransportError(cleaned(error.failure, self._redactor)) from None
        except BaseException:
            self.close()
            raise
        self.stamped = self._wire.stamped
        if "close" in answer.headers.get("connection", "").lower() or not _ends_by_itself(answer):
            self.close()
        return answer

    def close(self) -> None:
        """Close the connection, if there is one."""
        wire, self._wire = self._wire, None
        if wire is not None:
            wire.close()


def _answered(wire: Wire, request: HttpRequest, where: str, send_timeout_s: float) -> HttpAnswer:
    try:
        wire.send(_head(request) + request.body)
        head = read_head(wire)
        body = _whole_body(wire, head) if request.method != "HEAD" else b""
    except NotHttpError as error:
        raise TransportError(of_broken_answer(error.code, error.status, f"{where}: {error}")) from error
    except SendTimeoutError as error:
        raise TransportError(of_timeout("request", send_timeout_s)) from error
    except OSError as error:
        raise TransportError(of_os_error(error, "request", where)) from error
    return HttpAnswer(head.status, head.headers, body, wire.at_ns)


def _head(request: HttpRequest) -> bytes:
    parts = urlsplit(request.url)
    target = parts._replace(scheme="", netloc="", fragment="").geturl() or "/"
    headers = {
        "Host": parts.netloc.rpartition("@")[2],
        "User-Agent": f"realtime-voice-bench/{__version__}",
        "Accept": "application/json",
    }
    if request.body or request.method != "GET":
        headers["Content-Length"] = str(len(request.body))
    names = {name.lower() for name in request.headers}
    lines = [f"{request.method} {target} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in headers.items() if name.lower() not in names]
    lines += [f"{name}: {value}" for name, value in request.headers.items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1", "replace")


def _ends_by_itself(answer: HttpAnswer) -> bool:
    """Whether the end of the answer was told, so that another can follow on the connection."""
    chunked = "chunked" in answer.headers.get("transfer-encoding", "").lower()
    return chunked or "content-length" in answer.headers or answer.status in (204, 304)


def _whole_body(wire: Wire, head: Head) -> bytes:
    """The body to its end. Raises `NotHttpError` when the connection ended before that, or it is too long."""
    if head.status in (204, 304):
        return b""
    chunked = "chunked" in head.headers.get("transfer-encoding", "").lower()
    length = head.headers.get("content-length", "")
    wanted = int(length) if length.isdecimal() and not chunked else None
    if wanted is not None and wanted > MOST_BYTES:
        raise NotHttpError("too_long", f"the body of the answer is longer than {MOST_BYTES} bytes", head.status)
    body = b""
    while (len(body) < wanted) if wanted is not None else not (chunked and body.endswith(_LAST_CHUNK)):
        data = wire.read(65536 if wanted is None else wanted - len(body))
        if not data:
            if wanted is None and not chunked:
                break
            raise NotHttpError("closed", f"the connection ended after {len(body)} bytes of the body", head.status)
        body += data
        if len(body) > MOST_BYTES:
            raise NotHttpError("too_long", f"the body of the answer is longer than {MOST_BYTES} bytes", head.status)
    return dechunked(body) if chunked else body
