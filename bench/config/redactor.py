"""What a stranger's text must not bring into a file or onto a screen: the secrets of the run, and control characters.

In: the secrets as they go on the wire, then any text that came from outside. Out: the text without them. A server may
echo a key as it is, URL-quoted, escaped for JSON, Python or HTML, in base64 (alone or within user:password), in hex,
folded over lines or cut short. Trap: it is called for every event of a call, so a harmless text must cost little.
"""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from urllib.parse import quote, quote_plus, unquote, unquote_plus, urlsplit

from bench.config.secrets import HIDDEN, names_secret

SHORTEST_SECRET = 6
MOST_SPACES = 8
"""A shorter one would be found in ordinary words."""
_HEAD = 8
"""So many first characters of a secret lead to a closer look, and are hidden where the text ends within it."""
_LEAST_PART = 10
"""So long a beginning of a secret is hidden wherever it stands: texts are cut before they are put into sentences."""
_CUTS = ("", "\u2026")
"""What follows where a text was cut."""
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|([/\\\"'&]))")
_FOLD = re.compile(
    r"(?:[\r\n\0\u200b-\u200d\u2060\ufeff]|\\+(?:[rn0]|u00(?:00|0[ad])|x0[0ad]))(?:[ \t]|\\+t)*", re.IGNORECASE
)
_UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ufff9-\ufffb\ud800-\udfff]"
)
_LAYERS = 2
_VIEWS: tuple[Callable[[str], str], ...] = (
    unquote,
    lambda text: _ESCAPE.sub(lambda found: _escaped(*found.groups()), text),
    html.unescape,
    lambda text: _FOLD.sub("", text),
)
"""How a text reads without one kind of escape, or of what may stand within a word unseen."""


def printable(text: str) -> str:
    """`text` with every control character but tab and line feed, and every change of direction, as U+FFFD."""
    if text.isprintable():
        return text
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return _UNPRINTABLE.sub("\ufffd", text)


class Redactor:
    """Knows the secrets of a run. `clean` is for text from outside; more secrets may be added at any time."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._known: set[str] = set()
        self._forms: list[str] = []
        self._heads: tuple[str, ...] = ()
        self.longest = 0
        """Characters of the longest form of a secret; 0 when there is none."""
        for secret in secrets:
            self.add(secret)

    def copy(self) -> Redactor:
        """Another that knows the same secrets, to which more can be added."""
        other = Redactor()
        other._known, other._forms = set(self._known), list(self._forms)
        other._heads, other.longest = self._heads, self.longest
        return other

    @classmethod
    def of_request(
        cls, url: str, headers: Mapping[str, str], subprotocols: Iterable[str], secrets: Iterable[str] = ()
    ) -> Redactor:
        """Knows `secrets`, and what the names of a request's headers, parameters and subprotocols say is one."""
        redactor = cls(secrets)
        for name, value in headers.items():
            if names_secret(name):
                redactor.add(value)
                # "Bearer abc": the key itself, for servers that echo it without its scheme.
                redactor.add(value.rpartition(" ")[2])
                # "session=abc; theme=dark": the values of cookies.
                for word in value.split():
                    redactor.add(word.partition("=")[2].rstrip(";"))
        for protocol in subprotocols:
            # Browser-style keys travel as "openai-insecure-api-key.<key>".
            if any(names_secret(part) for part in protocol.split(".")):
                redactor.add(protocol.partition(".")[2] or protocol)
        parts = urlsplit(url)
        redactor.add(parts.password)
        if parts.password:
            redactor.add(f"{unquote(parts.username or '')}:{unquote(parts.password)}")
        for pair in parts.query.split("&"):
            name, _, raw = pair.partition("=")
            if names_secret(unquote_plus(name)):
                redactor.add(raw)
                redactor.add(unquote_plus(raw))
        return redactor

    def add(self, secret: str | None) -> None:
        """Hide `secret`, and its percent-decoded form, from now on, unless it is too short to be a secret."""
        for plain in {secret or "", unquote(secret or "")}:
            if len(plain) >= SHORTEST_SECRET and plain not in self._known:
                self._known.add(plain)
                self._forms = sorted({*self._forms, *map(_lower, _forms(plain))}, key=len, reverse=True)
        self._heads = tuple({form[:_HEAD] for form in self._forms})
        self.longest = len(self._forms[0]) if self._forms else 0

    def clean(self, text: str) -> str:
        """`text` without any of the secrets in any of their forms, and printable."""
        if self._heads and text:
            escaped = "%" in text or "\\" in text or "&" in text or not text.isprintable()
            if any(map(self.suspects, _readings(text) if escaped else (text,))):
                # Whole secrets first: of one with an escape in it, only the beginning stands there as it is.
                for parts in (False, True):
                    text = self._hide(text, parts)
                    text = self._hide_escaped(text, parts) if escaped else text
        return printable(text)

    def _hide_escaped(self, text: str, parts: bool) -> str:
        """As `_hide`, for secrets with something in between or with characters written as escapes.

        The text loses its escapes only if a secret is among them. An escape within an escape is two layers, as in a
        JSON text inside a JSON text, and a fold may be written as an escape.
        """
        plain = text
        for _ in range(_LAYERS):
            for view in _VIEWS:
                plain = view(plain)
                if (hidden := self._hide(plain, parts)) != plain:
                    text = plain = hidden
        return text

    def suspects(self, text: str) -> bool:
        """Whether a secret may begin in `text`: a quick look, which most texts pass."""
        lowered = text.lower()
        for head in self._heads:  # noqa: SIM110 - called for every event; `any` takes twice as long
            if head in lowered:
                return True
        return False

    def spans(self, text: str, *, parts: bool = True) -> list[tuple[int, int]]:
        """Where secrets stand in `text` as it is, or `parts` of them: start and end, in order, none in another."""
        if not self.suspects(text):
            return []
        lowered = _lower(text)
        found: list[tuple[int, int]] = []
        for form in self._forms:
            start = -1
            while (start := lowered.find(form[:_HEAD], start + 1)) >= 0:
                size = _common(lowered, start, form)
                cut = size >= _HEAD and text[start + size : start + size + 1] in _CUTS
                if size == len(form) or (parts and (size >= _LEAST_PART or cut)):
                    found.append((start, start + size))
        return _joined(found)

    def _hide(self, text: str, parts: bool) -> str:
        out, at = [], 0
        for start, end in self.spans(text, parts=parts):
            out += [text[at:start], HIDDEN]
            at = end
        return "".join([*out, text[at:]]) if out else text


def _readings(text: str) -> Iterator[str]:
    """`text` as it is, and with one escape after the other resolved."""
    yield text
    for _ in range(_LAYERS):
        for view in _VIEWS:
            text = view(text)
            yield text


def _forms(secret: str) -> set[str]:
    """Every way in which an echo may write `secret`."""
    data = secret.encode("utf-8", "surrogatepass")
    forms = {
        secret,
        quote(secret, safe="", errors="replace"),
        quote(secret, errors="replace"),
        quote_plus(secret, errors="replace"),
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1].replace("/", "\\/"),
        repr(secret)[1:-1],
        html.escape(secret),
        data.hex(),
    }
    # A line that was folded at a space of the secret loses that space with the fold.
    spaces = [match.span() for match in re.finditer(r"\s+", secret)][:MOST_SPACES]
    forms |= {secret[:start] + secret[end:] for start, end in spaces}
    for before in range(3):
        # The characters of base64 that depend on this secret alone, wherever it begins in what was encoded.
        encoded = base64.b64encode(b"\0" * before + data).decode().rstrip("=")
        core = encoded[-(-before * 8 // 6) :]
        if (before + len(data)) % 3:
            core = core[:-1]
        forms |= {core, core.replace("+", "-").replace("/", "_")}
    return {form for form in forms if len(form) >= SHORTEST_SECRET}


def _lower(text: str) -> str:
    """`text` in lower case, character for character."""
    lowered = text.lower()
    if len(lowered) == len(text):
        return lowered
    return "".join(low if len(low := letter.lower()) == 1 else letter for letter in text)


def _common(text: str, start: int, form: str) -> int:
    """How many characters of `form` stand in `text` at `start`."""
    if text.startswith(form, start):
        return len(form)
    return next(
        (size for size, letter in enumerate(form) if start + size >= len(text) or text[start + size] != letter),
        len(form),
    )


def _joined(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    joined: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined


def _escaped(wide: str | None, narrow: str | None, letter: str | None) -> str:
    return chr(int(wide or narrow or "", 16)) if letter is None else letter
