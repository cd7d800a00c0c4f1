"""What of a reference text is said: text in square or angle brackets is a note of the transcriber, not speech.

In: a text. Out: the text without such notes, or the notes.
"""

from __future__ import annotations

import re

_NOTE = re.compile(r"\[[^\[\]]*\]|<[^<>]*>|\u266a")


def without_notes(text: str) -> str:
    """`text` without what nobody said. Words in round brackets are words."""
    return _NOTE.sub(" ", text)


def notes_in(text: str) -> list[str]:
    """What `without_notes` leaves out of `text`."""
    return _NOTE.findall(text)
