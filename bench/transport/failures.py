"""Failures of connecting, typed from the fields of exceptions and responses.

In go `OSError`s, `SSLError`s and HTTP responses, out come `bench.facts.failure.Failure`s.
Trap: servers echo keys in error bodies and status lines, so no failure leaves a transport without `cleaned`.
"""

from __future__ import annotations

import errno
import html
import json
import re
import socket
import ssl
import zlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal
from urllib.parse import urlsplit

from bench.config.redactor import Redactor
from bench.facts.failure import ErrorKind, Failure

Part = Literal["dns", "tcp", "proxy", "tls", "upgrade", "request"]
"""What a connection was busy with; finer than a stage. `request`: a plain request waits for its answer."""

MAX_MESSAGE_CHARS = 500
MAX_CODE_CHARS = 120
_QUOTA_CODES = frozenset(
    {"insufficient_quota", "billing_hard_limit_reached", "billing_not_active", "quota_exceeded", "credits_exhausted"}
)
_REFUSALS: Mapping[int, tuple[ErrorKind, str]] = {
    errno.ECONNREFUSED: ("connect", "refused"),
    errno.ENETUNREACH: ("connect", "unreachable"),
    errno.EHOSTUNREACH: ("connect", "unreachable"),
    errno.ENETDOWN: ("connect", "unreachable"),
    errno.ECONNRESET: ("connect", "reset"),
    errno.EPIPE: ("connect", "reset"),
    errno.ETIMEDOUT: ("timeout", "connect_timeout"),
    # This machine's own limits: not the target's fault.
    errno.EADDRNOTAVAIL: ("harness", "no_local_port"),
    errno.EMFILE: ("harness", "too_many_open_files"),
    errno.ENFILE: ("harness", "too_many_open_files"),
    errno.ENOBUFS: ("harness", "no_buffers"),
    errno.ENOMEM: ("harness", "no_memory"),
}
# X509_V_ERR_* of OpenSSL's x509_vfy.h, as found in `SSLCertVerificationError.verify_code`.
_VERIFY_CODES: Mapping[int, str] = {
    9: "not_yet_valid",
    10: "expired",
    18: "self_signed",
    19: "self_signed",
    20: "unknown_issuer",
    21: "unknown_issuer",
    23: "revoked",
    62: "hostname_mismatch",
    64: "hostname_mismatch",
}
_TLS_REASONS: Mapping[str, str] = {
    "WRONG_VERSION_NUMBER": "wrong_version",
    "HTTP_REQUEST": "wrong_version",
    "UNSUPPORTED_PROTOCOL": "unsupported_version",
    "TLSV1_ALERT_PROTOCOL_VERSION": "unsupported_version",
}

_ANY_HEADER = 47
"""For zlib: the window of either gzip or deflate."""
_MOST_UNPACKED = 65536
_PAGE = re.compile(r"<(?:!doctype html|html|head|body|center|h1|title|\?xml)\b", re.IGNORECASE)
_TITLE = re.compile(r"<title[^>]*>(.*?)</title", re.IGNORECASE | re.DOTALL)
_UNSEEN = re.compile(r"<(script|style|head)\b.*?</\1\s*>|<!--.*?-->", re.IGNORECASE | re.DOTALL)
_TAGS = re.compile(r"<[^>]*>")


def of_timeout(part: Part, seconds: float) -> Failure:
    """The whole budget of connecting was spent, and `part` was under way."""
    code = "connect_timeout" if part == "tcp" else f"{part}_timeout"
    return Failure(
        "timeout", "upgrade" if part == "upgrade" else "connect", code, f"no end of {part} within {seconds:g} s in all"
    )


def of_os_error(error: OSError, part: Part, where: str) -> Failure:
    """A refusal by the network, the peer or this machine while `part` was under way with `where`."""
    if isinstance(error, ssl.SSLError):
        return of_tls(error, where)
    if isinstance(error, socket.gaierror):
        return Failure("connect", "connect", "dns", f"{where}: {error.strerror or 'name not resolved'}")
    number = error.errno or 0
    kind, code = _REFUSALS.get(number, ("connect", errno.errorcode.get(number, "os_error").lower()))
    if isinstance(error, TimeoutError):
        kind, code = "timeout", "connect_timeout"
    if part == "tls" and code == "reset":
        kind = "tls"
    if part == "upgrade" and code == "reset":
        return Failure("handshake", "upgrade", "reset", f"{where}: connection reset before the upgrade was answered")
    if part == "request" and code == "reset":
        return Failure("connect", "connect", "reset", f"{where}: connection reset before the request was answered")
    if part == "proxy" and kind == "connect":
        code = f"proxy_{code}"
    stage: Literal["connect", "upgrade"] = "upgrade" if part == "upgrade" else "connect"
    return Failure(kind, stage, code, f"{where}: {error.strerror or code}")


def of_tls(error: ssl.SSLError, where: str) -> Failure:
    """A TLS handshake that failed, by OpenSSL's own code for it."""
    if isinstance(error, ssl.SSLCertVerificationError):
        code = _VERIFY_CODES.get(error.verify_code, "certificate_verify_failed")
        return Failure("tls", "connect", code, f"{where}: {error.verify_message}")
    if isinstance(error, (ssl.SSLEOFError, ssl.SSLZeroReturnError)):
        return Failure("tls", "connect", "eof", f"{where}: the connection ended in the TLS handshake")
    reason = error.reason or ""
    code = _TLS_REASONS.get(reason, reason.lower() or "tls_error")
    return Failure("tls", "connect", code, f"{where}: {reason.replace('_', ' ').lower() or 'TLS handshake failed'}")


def of_status(status: int, headers: Mapping[str, str], body: bytes) -> Failure:
    """An HTTP answer to the upgrade request other than 101, not `cleaned` yet. `headers` in lower case."""
    body = _unpacked(body, headers.get("content-encoding", ""))
    code, names = _json_error(body)
    text = _readable(body)
    kind = _kind_of_status(status)
    if status in (402, 403, 429) and names & _QUOTA_CODES:
        kind = "quota"
    if 300 <= status < 400:
        text = f"redirected to {_without_query(headers.get('location', 'nowhere'))}; redirects are not followed"
    return Failure(kind, "upgrade", code or f"http_{status}", text or f"HTTP status {status}", http_status=status)


def _unpacked(body: bytes, encoding: str) -> bytes:
    """`body` without the compression that some proxies use unasked; as it is where it is none."""
    if encoding.strip().lower() not in ("gzip", "x-gzip", "deflate"):
        return body
    try:
        return zlib.decompressobj(_ANY_HEADER).decompress(body, _MOST_UNPACKED)
    except zlib.error:
        return body


def _readable(body: bytes) -> str:
    """What a person can read of an answer: the words of a page, or how many bytes there were that are no text."""
    text = body[:_MOST_UNPACKED].decode("utf-8", "replace").strip()
    strange = sum(c == "\ufffd" or not (c.isprintable() or c.isspace()) for c in text[:MAX_MESSAGE_CHARS])
    if strange > len(text[:MAX_MESSAGE_CHARS]) / 10:
        return f"{len(body):,} bytes that are no text"
    if not _PAGE.match(text):
        return text
    title = _TITLE.search(text)
    words = " ".join(_TAGS.sub(" ", _UNSEEN.sub(" ", text)).split())
    return html.unescape(" ".join(title[1].split()) if title and title[1].strip() else words)


def of_broken_answer(code: str, status: int | None, message: str) -> Failure:
    """An answer to the upgrade request that is no whole HTTP head; its `status`, where that was still told, counts."""
    kind = "handshake" if status is None else _kind_of_status(status)
    return Failure(kind, "upgrade", code, message, http_status=status)


def cleaned(failure: Failure, redactor: Redactor) -> Failure:
    """`failure` without secrets and control characters, and with texts of a bounded length."""
    code, message, reason = failure.error_code, failure.message, failure.close_reason
    return replace(
        failure,
        error_code=redactor.clean(code)[:MAX_CODE_CHARS] if code else code,
        message=redactor.clean(message)[:MAX_MESSAGE_CHARS] if message else message,
        close_reason=redactor.clean(reason)[:MAX_MESSAGE_CHARS] if reason else reason,
    )


def _kind_of_status(status: int) -> ErrorKind:
    if status in (401, 403):
        return "auth"
    if status == 429:
        return "rate_limit"
    return "server" if status >= 500 else "handshake"


def _json_error(body: bytes) -> tuple[str | None, set[str]]:
    """The code of a JSON error body, and every name it goes by (code and type), empty when it is not one."""
    try:
        data: Any = json.loads(body)
    except (ValueError, RecursionError):
        return None, set()
    if not isinstance(data, dict):
        return None, set()
    error = data.get("error")
    source: Mapping[str, Any] = error if isinstance(error, dict) else data
    names = [value for key in ("code", "type") if isinstance(value := source.get(key), str) and value]
    return (names[0] if names else None), set(names)


def _without_query(location: str) -> str:
    """A redirect's address as it may be shown: credentials are part of the user name and of the query."""
    try:
        parts = urlsplit(location)
    except ValueError:
        return f"a broken address ({location.partition('?')[0].rpartition('@')[2]!r})"
    return parts._replace(query="", fragment="", netloc=parts.netloc.rpartition("@")[2]).geturl()
