"""One request over HTTP on a connection of its own: dial, send, read the whole answer.

In: an `HttpRequest` and the options of the connection (certificates, proxies, time). Out: an `HttpAnswer`, whatever its
status. Trap: a body that was cut short is no answer; what stands in a refusal is for the caller to judge.
"""

from __future__ import annotations

import time
from urllib.parse import urlsplit

from bench import __version__
from bench.facts.connection import Connection
from bench.facts.http import HttpAnswer, HttpRequest
from bench.transport.channel import ConnectOptions, TransportError
from bench.transport.dial import Dialing, dial
from bench.transport.failures import cleaned, of_broken_answer, of_os_error, of_timeout
from bench.transport.http import Head, NotHttpError, dechunked, read_head
from bench.transport.patience import Patience
from bench.transport.wire import SendTimeoutError, Wire

MOST_BYTES = 4 * 1024 * 1024
_PORTS = {"http": 80, "https": 443}
_LAST_CHUNK = b"0\r\n\r\n"


def exchange(request: HttpRequest, options: ConnectOptions) -> HttpAnswer:
    """Send `request` and return its answer; raises `TransportError` when there is none, with secrets taken out.

    Of `options`, its URL, headers and subprotocols are another connection's; `connect_timeout_s` bounds the whole.
    """
    now_ns = time.monotonic_ns()
    progress = Dialing(now_ns + int(options.connect_timeout_s * 1e9))
    redactor = options.knowing_secrets()
    timer = Patience(options.connect_timeout_s)
    parts = urlsplit(request.url)
    host, port = parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 0)
    try:
        wire = dial(
            host,
            port,
            secure=parts.scheme == "https",
            options=options,
            connection=Connection(now_ns, now_ns),
            progress=progress,
            redactor=redactor,
        )
        progress.part = "request"
        answer = _exchange(wire, request, f"{host}:{port}", options.send_timeout_s)
    except BaseException as error:
        progress.abandon()
        if error is timer.expired:
            raise TransportError(of_timeout(progress.part, options.connect_timeout_s)) from None
        if isinstance(error, TransportError):
            raise TransportError(cleaned(error.failure, redactor)) from None
        raise
    finally:
        timer.close()
    wire.close()
    return answer


def _exchange(wire: Wire, request: HttpRequest, where: str, send_timeout_s: float) -> HttpAnswer:
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
        "Connection": "close",
    }
    if request.body or request.method != "GET":
        headers["Content-Length"] = str(len(request.body))
    names = {name.lower() for name in request.headers}
    lines = [f"{request.method} {target} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in headers.items() if name.lower() not in names]
    lines += [f"{name}: {value}" for name, value in request.headers.items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1", "replace")


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
