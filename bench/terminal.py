"""What is written to a terminal, a pipe or a log can be written, whatever its encoding.

In: the process's own streams and words. Out: the same, safe. A terminal that knows only ASCII or Latin-1 gets the
nearest characters, so that no report of a paid run ends in a `UnicodeEncodeError`.
Trap: words of a command line that are not in the encoding of the locale come as lone surrogates, which no file format
takes; `readable` mends them.
"""

from __future__ import annotations

import codecs
import io
import os
import shutil
import sys
import textwrap
import unicodedata
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

HANDLER = "bench.nearest"
_NEAREST = {
    "…": "...", "–": "-", "—": "-", "‑": "-", "−": "-", "→": "->", "←": "<-", "≥": ">=", "≤": "<=", "≈": "~",
    "×": "x", "·": "*", "•": "*", "±": "+/-", "µ": "u", "μ": "u", "∞": "inf", "“": '"', "”": '"', "„": '"',
    "‘": "'", "’": "'", "━": "-", "─": "-", "│": "|", "█": "#", "✓": "ok", "✗": "x", "€": "EUR", "ß": "ss", "æ": "ae",
    "ø": "o", "\u00a0": " ", "\u2009": " ", "\u202f": " ",
}  # fmt: skip


def nearest(error: UnicodeError) -> tuple[str | bytes, int]:
    """An error handler for encoders: the nearest ASCII, `?` for what has none."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(map(_plain, error.object[error.start : error.end])), error.end


def _plain(character: str) -> str:
    known = _NEAREST.get(character)
    if known is not None:
        return known
    base = unicodedata.normalize("NFKD", character).encode("ascii", "ignore").decode()
    return base or ("" if unicodedata.combining(character) else "?")


def make_streams_safe() -> None:
    """Let standard output and error write every text."""
    codecs.register_error(HANDLER, nearest)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=HANDLER)


def say(text: str) -> None:
    """Print a result at once. A reader who has gone, or a closed terminal, does not change how a run ended."""
    try:
        print(text, flush=True)
    except OSError:
        drop_output()


def output_width(usual: int) -> int:
    """Columns of the terminal that reads the output, `usual` at most and where nobody does (a file, a pipe, a log)."""
    if not sys.stdout.isatty():
        return usual
    return min(usual, shutil.get_terminal_size((usual, 24)).columns)


def terminal_width() -> int | None:
    """Columns of the terminal that reads the output; None where none does (a file, a pipe, a log)."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def folded(text: str, width: int, *, first: str = "", then: str = "", most: int | None = None) -> str:
    """A sentence on as many lines as it needs, `most` at most, that begin with `first` and `then`; words are whole."""
    return textwrap.fill(
        text,
        width,
        initial_indent=first,
        subsequent_indent=then,
        break_long_words=False,
        break_on_hyphens=False,
        max_lines=most,
        placeholder=" …",
    )


def fitted(text: str) -> str:
    """`text` with each line that the terminal has no room for broken between words, the rest below its beginning."""
    width = terminal_width()
    if width is None:
        return text
    lines = text.split("\n")
    starts = [line[: len(line) - len(line.lstrip())] for line in lines]
    return "\n".join(
        line if len(line) <= width else folded(line.strip(), width, first=start, then=f"{start}  ")
        for line, start in zip(lines, starts, strict=True)
    )


def shortened(text: str, room: int) -> str:
    """`text` in `room` characters. What is left out is in the middle; a path keeps its end, which names the file."""
    if len(text) <= room:
        return text
    kept = max(0, room - 1)
    head = 0 if "/" in text and " " not in text.strip() else kept // 2
    return f"{text[:head]}…{text[len(text) - (kept - head) :]}"[: max(room, 1)]


def drop_output() -> None:
    """Nobody reads the output any more: what is still written goes nowhere, to standard error too if it is the same."""
    devnull = os.open(os.devnull, os.O_WRONLY)
    out, err = sys.stdout.fileno(), sys.stderr.fileno()
    together = os.path.samestat(os.fstat(out), os.fstat(err))
    os.dup2(devnull, out)
    if together:
        os.dup2(devnull, err)
    os.close(devnull)


def open_console() -> Console:
    """A console whose reader may go away; rich's own ends the process then."""
    from rich.console import Console

    class _Console(Console):
        def on_broken_pipe(self) -> None:
            self.quiet = True
            drop_output()

        def _check_buffer(self) -> None:
            try:
                super()._check_buffer()
            except OSError:
                # A closed terminal: rich knows of pipes alone.
                self.on_broken_pipe()

    return _Console()


def readable(words: Iterable[str]) -> list[str]:
    """Words of a command line as text: bytes that the locale could not read are read as UTF-8."""
    return [word.encode("utf-8", "surrogateescape").decode("utf-8", "replace") for word in words]
