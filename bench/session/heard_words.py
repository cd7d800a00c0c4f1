"""Where in a reply's audio its words are, as well as can be told from the order in which both arrive. Sans-I/O.

In: pieces of the transcript, each with the samples that had arrived before it. Out: the sample at which a word is over.
Words of a piece are spread evenly over the audio up to the next piece. Trap: a transcript runs ahead of its audio, so
pieces at the same place are one piece, and where the last one ends is known only when the audio is complete.
"""

from __future__ import annotations

import re

_WORD = re.compile(r"\S+")


class HeardWords:
    """The words of one response."""

    def __init__(self) -> None:
        self._text = ""
        self._pieces: list[tuple[int, int]] = []
        """Sample at which a piece begins, and the length of the text before it."""
        self._end: int | None = None

    def said(self, text: str, at_sample: int) -> None:
        """A piece of the transcript, which came after `at_sample` samples."""
        if not self._pieces or self._pieces[-1][0] < at_sample:
            self._pieces.append((at_sample, len(self._text)))
        self._text += text

    def ended(self, at_sample: int) -> None:
        """No more will come; the audio is `at_sample` samples long."""
        self._end = at_sample

    def over_at(self, number: int) -> int | None:
        """The sample at which word `number` (from 1) is over; None while that is not known, or when there is none."""
        words = _WORD.finditer(self._text)
        end = next((word.end() for place, word in enumerate(words, start=1) if place == number), None)
        if end is None:
            return None
        place = max(at for at, (_, before) in enumerate(self._pieces) if before < end)
        (first, before), following = self._pieces[place], self._pieces[place + 1 : place + 2]
        last, after = following[0] if following else (self._end, len(self._text))
        if last is None:
            return None
        return first + (last - first) * (end - before) // (after - before)
