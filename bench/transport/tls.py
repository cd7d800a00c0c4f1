"""TLS over any wire, through memory buffers, so that the read below stays ours and keeps its kernel stamps.

Ciphertext is read exactly one record at a time: what a record held bears that record's stamp.
Trap: a context costs about 10 ms and megabytes to build, so each process has one per (CA file, verify).
"""

from __future__ import annotations

import os
import ssl
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from bench.errors import BenchError
from bench.transport.boundaries import RecordBoundary
from bench.transport.wire import SendTimeoutError, Wire

_CA_VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
_RECORD_BYTES = 16 * 1024


def context_for(ca_file: str | None, *, verify: bool) -> ssl.SSLContext:
    """This process's shared context; its CA is `ca_file`, else the first of the usual variables, else the system's.

    Raises `BenchError` when the named file cannot be used.
    """
    if not verify:
        return _build(None, None, False)
    if ca_file is not None:
        return _build(ca_file, "ca_file", True)
    for name in _CA_VARIABLES:
        if os.environ.get(name):
            return _build(os.environ[name], name, True)
    return _build(None, None, True)


@lru_cache(maxsize=16)
def _build(ca: str | None, named_by: str | None, verify: bool) -> ssl.SSLContext:
    if ca is None:
        context = ssl.create_default_context()
    else:
        path = Path(ca)
        try:
            if not path.exists():
                raise FileNotFoundError(2, "no such file or directory")
            folder = path.is_dir()
            context = ssl.create_default_context(cafile=None if folder else ca, capath=ca if folder else None)
        except OSError as error:
            raise BenchError(
                f"{named_by}: cannot use {ca!r} as a certificate authority: {error.strerror or error}",
                hint="Name a PEM file with one or more CA certificates, or a directory prepared by `openssl rehash`.",
            ) from error
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    # A server that prefers HTTP/2 would otherwise choose it, and there is no WebSocket upgrade in that.
    context.set_alpn_protocols(["http/1.1"])
    return context


class TlsWire(Wire):
    """A client TLS connection on top of `inner`; `handshake` comes first."""

    def __init__(self, inner: Wire, context: ssl.SSLContext, server_name: str) -> None:
        self._inner = inner
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=server_name)
        self._record = RecordBoundary()
        self._peeked = b""

    @property
    def stamped(self) -> bool:
        return self._inner.stamped

    @property
    def congested(self) -> bool:
        return self._inner.congested

    @property
    def splits_reads(self) -> bool:
        return False

    def handshake(self) -> None:
        """Raises `ssl.SSLError` or `OSError`."""
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                self._push()
                self._pull(None)
                continue
            except ssl.SSLError:
                # The alert tells the server what we found wrong: a courtesy, and the server may be gone by now.
                with suppress(OSError):
                    self._push()
                raise
            self._push()
            return

    def read(self, size: int, deadline_ns: int | None = None) -> bytes | None:
        if self._peeked:
            data, self._peeked = self._peeked[:size], self._peeked[size:]
            return data
        while True:
            try:
                data = self._tls.read(size)
            except ssl.SSLWantReadError:
                if self._pull(deadline_ns):
                    continue
                return None
            except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
                return b""
            if self._outgoing.pending:
                self._push()
            return data

    def peek(self) -> bytes:
        if not self._peeked:
            self._peeked = self.read(_RECORD_BYTES) or b""
        return self._peeked

    def post(self, data: bytes) -> bool:
        self._tls.write(data)
        return self._inner.post(self._outgoing.read())

    def flush(self) -> None:
        self._inner.flush()

    def close(self, *, hard: bool = False) -> None:
        if not hard:
            # Our close_notify (RFC 8446 section 6.1). `unwrap` always complains: it would also wait for the peer's.
            with suppress(OSError, ValueError):
                self._tls.unwrap()
            with suppress(OSError, SendTimeoutError):
                self._push()
        self._inner.close(hard=hard)

    def _push(self) -> None:
        if self._outgoing.pending:
            self._inner.post(self._outgoing.read())

    def _pull(self, deadline_ns: int | None) -> bool:
        """Bring in one whole record, or the end of the stream; False when the deadline passed first."""
        inner = self._inner
        while True:
            data = inner.read(self._record.wanted(), deadline_ns)
            if data is None:
                return False
            self.at_ns = inner.at_ns
            self.read_ns = inner.read_ns
            if not data:
                self._incoming.write_eof()
                return True
            self._incoming.write(data)
            if self._record.feed(data):
                return True
