"""A WebSocket server that misbehaves to order, run as a process of its own: plain sockets, one thread a connection.

The path of the request says what to do (`/echo`, `/status/429`, `/close/1011`, ...). It prints its ports as one line of
JSON (`plain`, `tls`, `self_signed`, `proxy`, `tls_proxy`) and lives until its standard input is closed.
It writes frames by hand, since most of what it has to send no library would let it send.
"""

from __future__ import annotations

import base64
import hashlib
import json
import socket
import ssl
import struct
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

CERTS = Path(sys.argv[1]) if __name__ == "__main__" else Path()
"""Where the certificates lie that the tests made for this run."""
PROXY_CREDENTIALS = base64.b64encode(b"caller:s3cret word").decode()


def frame(payload: bytes, opcode: int = 1, *, fin: bool = True) -> bytes:
    head = bytes(((0x80 if fin else 0) | opcode,))
    size = len(payload)
    if size < 126:
        return head + bytes((size,)) + payload
    if size < 65536:
        return head + b"\x7e" + struct.pack("!H", size) + payload
    return head + b"\x7f" + struct.pack("!Q", size) + payload


class Peer:
    """One client as the server sees it: its request, and frames from it."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.file = sock.makefile("rb")
        self.headers: dict[str, str] = {}
        self.path = ""
        self.query: dict[str, str] = {}

    def read_request(self) -> bool:
        line = self.file.readline().decode("latin-1")
        if not line.startswith("GET "):
            self.sock.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
            return False
        parts = urlsplit(line.split(" ")[1])
        self.path = parts.path
        self.query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        while (line := self.file.readline().decode("latin-1").strip()) != "":
            name, _, value = line.partition(":")
            self.headers[name.lower()] = value.strip()
        return True

    def switching(self, **extra: str) -> bytes:
        key = self.headers["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        accept = base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()
        lines = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade"]
        lines += [f"Sec-WebSocket-Accept: {extra.pop('accept', accept)}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in extra.items()]
        return ("\r\n".join(lines) + "\r\n\r\n").encode()

    def next_frame(self) -> tuple[int, bytes] | None:
        head = self.file.read(2)
        if len(head) < 2:
            return None
        size = head[1] & 0x7F
        if size == 126:
            (size,) = struct.unpack("!H", self.file.read(2))
        elif size == 127:
            (size,) = struct.unpack("!Q", self.file.read(8))
        mask = self.file.read(4)
        data = self.file.read(size)
        key = (mask * (size // 4 + 1))[:size]
        plain = (int.from_bytes(data, "big") ^ int.from_bytes(key, "big")).to_bytes(size, "big")
        return head[0] & 0x0F, plain

    def next_text(self) -> bytes | None:
        while (got := self.next_frame()) is not None:
            if got[0] == 1:
                return got[1]
            if got[0] == 8:
                self.sock.sendall(frame(got[1], 8))
                break
        return None

    def linger_until_gone(self) -> None:
        while (got := self.next_frame()) is not None:
            if got[0] == 8:
                self.sock.sendall(frame(got[1], 8))
                return


def echo(peer: Peer) -> None:
    peer.sock.sendall(peer.switching(x_request_id="req-7", openai_processing_ms="12", set_cookie="c=1"))
    echo_on(peer)


def echo_on(peer: Peer) -> None:
    while (got := peer.next_frame()) is not None:
        peer.sock.sendall(frame(got[1], got[0]))
        if got[0] == 8:
            return


def headers(peer: Peer) -> None:
    peer.sock.sendall(peer.switching() + frame(json.dumps(peer.headers).encode()))
    peer.linger_until_gone()


def subprotocol(peer: Peer) -> None:
    peer.sock.sendall(peer.switching(sec_websocket_protocol="realtime") + frame(b"ok"))
    peer.linger_until_gone()


def fragments(peer: Peer) -> None:
    peer.sock.sendall(peer.switching())
    for part in (
        frame("gr\u00fc".encode()[:3], 1, fin=False),
        frame(b"beat", 9),
        frame("\u00fc".encode()[1:], 0, fin=False),
        frame(b"", 0, fin=False),
        frame(b"n", 0),
        frame(b"\x00\xff", 2, fin=False),
        frame(b"", 0xA),
        frame(b"\x01", 0),
        frame(b"", 1),
        frame(b"whole", 1),
    ):
        peer.sock.sendall(part)
        time.sleep(0.002)
    peer.linger_until_gone()


def big(peer: Peer) -> None:
    size = int(peer.query["bytes"])
    peer.sock.sendall(peer.switching() + frame(b"a" * size) + frame(b"after"))
    peer.linger_until_gone()


def pings(peer: Peer) -> None:
    count = int(peer.query["n"])
    peer.sock.sendall(peer.switching())
    # Read while writing: a client that answers every ping would otherwise fill both directions.
    writer = threading.Thread(
        target=lambda: [peer.sock.sendall(frame(str(index).encode(), 9)) for index in range(count)], daemon=True
    )
    writer.start()
    answers = [peer.next_frame() for _ in range(count)]
    writer.join()
    good = answers == [(0xA, str(index).encode()) for index in range(count)]
    peer.sock.sendall(frame(b"in order" if good else b"wrong"))
    peer.linger_until_gone()


def status(peer: Peer) -> None:
    code = int(peer.path.split("/")[2])
    error = {
        "message": peer.query.get("message", "No."),
        "type": peer.query.get("type"),
        "code": peer.query.get("code"),
    }
    if "echo_key" in peer.query:
        error["message"] = f"bad key {peer.headers.get('authorization')} {peer.query.get('api_key')}"
    body = json.dumps({"error": error}).encode() if "html" not in peer.query else b"<h1>no</h1>"
    head = f"HTTP/1.1 {code} Whatever\r\nContent-Type: application/json\r\nX-Request-Id: req-9\r\n"
    framing = peer.query.get("framing", "length")
    if framing == "length":
        peer.sock.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
    elif framing == "chunked":
        chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:7], body[7:]))
        peer.sock.sendall(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode() + chunks + b"0\r\n\r\n")
    elif framing == "eof":
        peer.sock.sendall(f"{head}Connection: close\r\n\r\n".encode() + body)
    elif framing == "short":
        peer.sock.sendall(f"{head}Content-Length: {len(body) + 100}\r\n\r\n".encode() + body)


def redirect(peer: Peer) -> None:
    peer.sock.sendall(
        b"HTTP/1.1 307 Temporary\r\nLocation: https://u:pw@elsewhere.example/v1?api_key=k\r\nContent-Length: 0\r\n\r\n"
    )


def bad_accept(peer: Peer) -> None:
    peer.sock.sendall(peer.switching(accept="AAAAAAAAAAAAAAAAAAAAAAAAAAA="))


def no_upgrade(peer: Peer) -> None:
    peer.sock.sendall(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n\r\n")


def extension(peer: Peer) -> None:
    peer.sock.sendall(peer.switching(sec_websocket_extensions="permessage-deflate"))


def old_http(peer: Peer) -> None:
    peer.sock.sendall(peer.switching().replace(b"HTTP/1.1", b"HTTP/1.0", 1))


def garbage(peer: Peer) -> None:
    peer.sock.sendall(b"SSH-2.0-OpenSSH_9.9\r\n")
    time.sleep(30)


def half_head(peer: Peer) -> None:
    peer.sock.sendall(peer.switching()[:40])


def silence(peer: Peer) -> None:
    peer.file.read(1)


def close(peer: Peer) -> None:
    code = int(peer.path.split("/")[2])
    payload = struct.pack("!H", code) + peer.query.get("reason", "").encode() if code else b""
    peer.sock.sendall(peer.switching() + frame(b"hello") + frame(payload, 8))
    if peer.next_frame() != (8, payload):
        raise AssertionError("the client did not echo our close frame")


def reset(peer: Peer) -> None:
    peer.sock.sendall(peer.switching() + frame(b"hello"))
    peer.next_text()
    peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("@ii", 1, 0))
    # The file object holds a reference: without closing both, no reset is sent.
    peer.file.close()
    peer.sock.close()


def reset_at_once(peer: Peer) -> None:
    peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("@ii", 1, 0))


def end(peer: Peer) -> None:
    peer.sock.sendall(peer.switching() + frame(b"hello") + frame(b"cut short")[:5])


def together(peer: Peer) -> None:
    peer.sock.sendall(peer.switching() + frame(b"one") + frame(b"two" * 100) + frame(b"three", 2))
    peer.linger_until_gone()


def raw(bad: bytes) -> Callable[[Peer], None]:
    def send(peer: Peer) -> None:
        peer.sock.sendall(peer.switching() + frame(b"hello") + bad)
        peer.linger_until_gone()

    return send


def endless_fragments(peer: Peer) -> None:
    """One message that never ends, until the client has enough of it."""
    peer.sock.sendall(peer.switching() + frame(b"hello") + frame(b"x" * 1000, fin=False))
    for _ in range(100_000):
        peer.sock.sendall(frame(b"x" * 1000, 0, fin=False))


def ping_then_close(peer: Peer) -> None:
    """A ping whose pong can no longer be sent, and behind it the reason why."""
    peer.sock.sendall(peer.switching() + frame(b"hello"))
    peer.next_text()
    peer.sock.sendall(frame(b"there?", 9) + frame(struct.pack("!H", 1008) + b"too late", 8))


def deaf(peer: Peer) -> None:
    peer.sock.sendall(peer.switching())
    time.sleep(30)


def drowsy(peer: Peer) -> None:
    """Reads nothing for 300 ms after the upgrade, and echoes from then on."""
    peer.sock.sendall(peer.switching())
    time.sleep(0.3)
    echo_on(peer)


def chatty(peer: Peer) -> None:
    """Never stops sending, ignores our close frame."""
    peer.sock.sendall(peer.switching())
    while True:
        peer.sock.sendall(frame(b"x" * 100))
        time.sleep(0.01)


def clock(peer: Peer) -> None:
    """After each text of the client: `n` messages, `gap_ms` apart, each beginning with this side's monotonic ns."""
    peer.sock.sendall(peer.switching())
    count, gap_s = int(peer.query["n"]), float(peer.query["gap_ms"]) / 1e3
    padding = b" " * (int(peer.query.get("bytes", "200")) - 20)
    while peer.next_text() is not None:
        start = time.monotonic()
        for index in range(count):
            time.sleep(max(0.0, start + index * gap_s - time.monotonic()))
            peer.sock.sendall(frame(b"%020d" % time.monotonic_ns() + padding))


PLAYS: dict[str, Callable[[Peer], None]] = {
    "echo": echo,
    "headers": headers,
    "subprotocol": subprotocol,
    "fragments": fragments,
    "big": big,
    "pings": pings,
    "status": status,
    "redirect": redirect,
    "bad-accept": bad_accept,
    "no-upgrade": no_upgrade,
    "extension": extension,
    "old-http": old_http,
    "garbage": garbage,
    "half-head": half_head,
    "silence": silence,
    "close": close,
    "reset": reset,
    "reset-at-once": reset_at_once,
    "end": end,
    "together": together,
    "bad-opcode": raw(b"\x83\x00"),
    "reserved-bit": raw(b"\xc1\x02hi"),
    "masked": raw(b"\x81\x82abcd\x01\x02"),
    "bad-utf8": raw(frame(b"\xc3\x28")),
    "bad-utf8-fragments": raw(frame(b"\xc3", fin=False) + frame(b"\x28", 0)),
    "bad-close": raw(frame(struct.pack("!H", 1006), 8)),
    "lone-continuation": raw(frame(b"x", 0)),
    "endless-fragments": endless_fragments,
    "announced-too-big": raw(b"\x81\x7f" + struct.pack("!Q", 1 << 40) + b"x" * 1000),
    "a-little-too-big": raw(frame(b"x" * 50_001)),
    "just-right": raw(frame(b"x" * 50_000)),
    "ping-then-close": ping_then_close,
    "deaf": deaf,
    "drowsy": drowsy,
    "chatty": chatty,
    "clock": clock,
}


def serve_websocket(sock: socket.socket) -> None:
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    peer = Peer(sock)
    try:
        if peer.read_request():
            PLAYS[peer.path.split("/")[1]](peer)
    finally:
        peer.file.close()
        sock.close()


def pump(source: socket.socket, sink: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        # Either side went away; the other pump will find out.
        return


def serve_proxy(target_ports: dict[str, int]) -> Callable[[socket.socket], None]:
    """A CONNECT proxy that demands credentials and knows where `plain.invalid` and `tls.invalid` are."""

    def serve(sock: socket.socket) -> None:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += sock.recv(1)
        first, *lines = head.decode("latin-1").split("\r\n")
        host, _, port = first.split(" ")[1].rpartition(":")
        if f"Proxy-Authorization: Basic {PROXY_CREDENTIALS}" not in lines:
            sock.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 11\r\n\r\nwho are you")
            sock.close()
            return
        if host == "silent.invalid":
            time.sleep(30)
        if host == "echo.invalid":
            sock.sendall(b"HTTP/1.1 403 no\r\n\r\n" + head)
            sock.close()
            return
        if host == "garbage.invalid":
            sock.sendall(b"what?\r\n\r\n")
            sock.close()
            return
        upstream = socket.create_connection(("127.0.0.1", target_ports.get(host.partition(".")[0], int(port))))
        sock.sendall(b"HTTP/1.0 200 Connection established\r\nX-Proxy: yes\r\n\r\n")
        threading.Thread(target=pump, args=(sock, upstream), daemon=True).start()
        pump(upstream, sock)

    return serve


def listen(handle: Callable[[socket.socket], None], context: ssl.SSLContext | None = None, family: int = 2) -> int:
    server = socket.create_server(("127.0.0.1" if family == socket.AF_INET else "::1", 0), family=family)

    def serve_one(sock: socket.socket) -> None:
        try:
            handle(context.wrap_socket(sock, server_side=True) if context else sock)
        except OSError:
            # Clients of these tests hang up in every possible way.
            sock.close()

    def accept() -> None:
        while True:
            sock, _ = server.accept()
            threading.Thread(target=serve_one, args=(sock,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    return int(server.getsockname()[1])


def server_context(certificate: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTS / certificate)
    return context


def main() -> None:
    trusted = server_context("server.pem")
    ports = {
        "plain": listen(serve_websocket),
        "tls": listen(serve_websocket, trusted),
        "self_signed": listen(serve_websocket, server_context("self-signed.pem")),
    }
    proxy = serve_proxy(dict(ports))
    ports |= {"proxy": listen(proxy), "tls_proxy": listen(proxy, trusted)}
    try:
        ports["plain6"] = listen(serve_websocket, family=socket.AF_INET6)
    except OSError:
        # No IPv6 on this machine: the test that needs it is skipped.
        ports["plain6"] = 0
    print(json.dumps(ports), flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
