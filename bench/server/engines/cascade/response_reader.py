"""One HTTP/1.1 answer: bytes in, its head and the pieces of its body out. Pure; after RFC 9112, sections 2 to 7.

It is short because it runs between the services of a turn, where every tenth of a millisecond is the cascade's own.
Trap: a length that is told twice, or beside chunks, may hide a second answer in the first; such a connection is refused
or not used again.
"""

from __future__ import annotations

import re
from collections.abc import Callable

MOST_HEAD_BYTES = 64 * 1024
MOST_LINE_BYTES = 4 * 1024
"""Of a line between chunks."""
_OPENING = b"HTTP/1."
_END_OF_HEAD = re.compile(rb"\r?\n\r?\n")
_STATUS = re.compile(r"HTTP/1\.([0-9]) +([1-9][0-9]{2})(?: .*)?", re.ASCII)
_FIELD = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*", re.ASCII | re.DOTALL)
_FOLD = re.compile(r"\r?\n[ \t]+")
_LENGTH = re.compile(r"[0-9]{1,18}", re.ASCII)
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;.*)?")
_EMPTY = frozenset({204, 304})


class ResponseReader:
    """Reads one answer; every method raises `ValueError` for what is no HTTP."""

    def __init__(self) -> None:
        self.status: int | None = None
        """Of the final answer, once its head is here."""
        self.fields: dict[str, str] = {}
        """Its header: names in lower case, repeated ones joined by commas."""
        self.whole = False
        """All of the answer has come."""
        self.keeps = True
        """The connection may be used again."""
        self._held = bytearray()
        self._searched = 0
        """So much of it has no end of a head."""
        self._left = 0
        """Bytes that the body, or the chunk, still has."""
        self._step: Callable[[list[bytes]], bool] = self._head

    def feed(self, data: bytes) -> list[bytes]:
        """The pieces of the body that came with `data`."""
        self._held += data
        found: list[bytes] = []
        while not self.whole and self._step(found):
            pass
        if self.whole and self._held:  # nobody asked for that
            self.keeps = False
        return found

    def end(self) -> bool:
        """The connection has ended: whether the answer was whole by that."""
        if self._step == self._until_the_end:
            self.whole = True
        self.keeps = False
        return self.whole

    def _head(self, _found: list[bytes]) -> bool:
        if not self._held.startswith(_OPENING[: len(self._held)]):
            raise ValueError(f"it begins with {bytes(self._held[:16])!r}")
        end = _END_OF_HEAD.search(self._held, max(0, self._searched - 3))
        self._searched = len(self._held)
        if end is None or end.start() > MOST_HEAD_BYTES:
            if len(self._held) > MOST_HEAD_BYTES:
                raise ValueError(f"a head of more than {MOST_HEAD_BYTES} bytes")
            return False
        first, _, rest = self._held[: end.start()].decode("latin-1").partition("\n")
        del self._held[: end.end()]
        self._searched = 0
        status = _STATUS.fullmatch(first.rstrip("\r"))
        if status is None:
            raise ValueError(f"its status line is {first[:80]!r}")
        code = int(status[2])
        if code == 101:
            raise ValueError("it changes the protocol, which was not asked for")
        fields: dict[str, str] = {}
        for line in _FOLD.sub(" ", rest).split("\n") if rest else ():
            field = _FIELD.fullmatch(line.removesuffix("\r"))
            if field is None:
                raise ValueError(f"a line of its header is {line[:80]!r}")
            name = field[1].lower()
            fields[name] = f"{fields[name]}, {field[2]}" if name in fields else field[2]
        if code >= 200:  # others are told beforehand, and an answer follows
            self._begin(code, fields, old=status[1] == "0")
        return True

    def _begin(self, code: int, fields: dict[str, str], *, old: bool) -> None:
        """The head of the final answer is here: how its body ends (RFC 9112, section 6.3)."""
        closes = "close" in {word.strip().lower() for word in fields.get("connection", "").split(",")}
        self.status, self.fields, self.keeps = code, fields, not (old or closes)
        coding = fields.get("transfer-encoding")
        lengths = {word.strip() for word in fields.get("content-length", "").split(",")} - {""}
        if code in _EMPTY:
            self.whole = True
        elif coding is not None:
            if coding.lower() != "chunked":
                raise ValueError(f"its body is coded as {coding[:40]!r}")
            self.keeps = self.keeps and not lengths
            self._step = self._chunk_size
        elif lengths:
            length = lengths.pop()
            if lengths or _LENGTH.fullmatch(length) is None:
                raise ValueError("its length is no number, or two")
            self._left, self.whole = int(length), int(length) == 0
            self._step = self._sized
        else:
            self.keeps = False
            self._step = self._until_the_end

    def _sized(self, found: list[bytes]) -> bool:
        self.whole = self._take(found)
        return False

    def _until_the_end(self, found: list[bytes]) -> bool:
        self._left = len(self._held)
        self._take(found)
        return False

    def _chunk_size(self, _found: list[bytes]) -> bool:
        line = self._line()
        if line is None:
            return False
        size = _CHUNK.fullmatch(line)
        if size is None:
            raise ValueError(f"a chunk begins with {line[:40]!r}")
        self._left = int(size[1], 16)
        self._step = self._chunk if self._left else self._trailer
        return True

    def _chunk(self, found: list[bytes]) -> bool:
        if not self._take(found):
            return False
        self._step = self._chunk_end
        return True

    def _chunk_end(self, _found: list[bytes]) -> bool:
        line = self._line()
        if line:
            raise ValueError("a chunk is longer than it says")
        self._step = self._chunk_end if line is None else self._chunk_size
        return line is not None

    def _trailer(self, _found: list[bytes]) -> bool:
        line = self._line()
        self.whole = line == b""
        return line is not None

    def _take(self, found: list[bytes]) -> bool:
        """As much as there is of what is left; whether that was all."""
        piece = bytes(self._held[: self._left])
        if piece:
            del self._held[: len(piece)]
            self._left -= len(piece)
            found.append(piece)
        return self._left == 0

    def _line(self) -> bytes | None:
        """The next line, without its end; None while it is not here."""
        end = self._held.find(b"\n", 0, MOST_LINE_BYTES)
        if end < 0:
            if len(self._held) >= MOST_LINE_BYTES:
                raise ValueError(f"a line of more than {MOST_LINE_BYTES} bytes between chunks")
            return None
        line = bytes(self._held[:end]).removesuffix(b"\r")
        del self._held[: end + 1]
        return line
