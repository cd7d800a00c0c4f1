"""The words of a model, cut into what is spoken at a time. Pure: pieces of text in, pieces to be spoken out.

Trap: an end of a sentence is known only by what follows it (`3.5` has none), except where a language writes no spaces.
"""

from __future__ import annotations

import re

from bench.scenario.cascade import Sentences

LONGEST = 1_000
"""Characters; services take about 4,000."""
_ENDS = {
    "sentence": re.compile(r"[.!?…]+[\"'”’)\]]*(?=\s)|[。！？]+[」』”’）]*|\n"),
    "clause": re.compile(r"[.!?…,;:]+[\"'”’)\]]*(?=\s)|[。！？，；：、]+[」』”’）]*|\n|\s[–—-](?=\s)"),
}


class SentenceSplitter:
    """One reply; joined, the pieces are its words again, but for white space at their ends."""

    def __init__(self, policy: Sentences) -> None:
        self._end = _ENDS.get(policy.split)
        self._shortest = policy.shortest
        self._held = ""

    def feed(self, text: str) -> list[str]:
        """What is complete with `text`."""
        self._held += text
        found = []
        while (cut := self._cut()) is not None:
            piece, self._held = self._held[:cut].strip(), self._held[cut:]
            if piece:
                found.append(piece)
        return found

    def rest(self) -> str | None:
        """What is left when the reply is over; None for nothing."""
        piece, self._held = self._held.strip(), ""
        return piece or None

    def _cut(self) -> int | None:
        for end in self._end.finditer(self._held) if self._end is not None else ():
            if len(self._held[: end.end()].strip()) >= self._shortest:
                return end.end()
        if len(self._held) <= LONGEST:
            return None
        space = self._held.rfind(" ", 1, LONGEST)
        return space if space > 0 else LONGEST
