"""Compounds that one side writes apart and the other together: `wi fi` and `wifi`, `log in` and `login`.

In: the words of both sides. Out: those of the hypothesis in the reference's manner, so that the number of reference
words never depends on what was heard. Trap: digits are left alone, since they stand apart on both sides already.
"""

from __future__ import annotations

from collections.abc import Sequence

MOST_PARTS = 4


def as_in_reference(reference: Sequence[str], hypothesis: Sequence[str]) -> list[str]:
    """`hypothesis` with compounds parted or joined as `reference` has them."""
    here, there = set(reference), set(hypothesis)
    parts = {joined: words for joined, words in _compounds(reference) if joined in there and joined not in here}
    joins = {joined for joined, _ in _compounds(hypothesis) if joined in here}
    if not parts and not joins:
        return list(hypothesis)
    words: list[str] = []
    at = 0
    while at < len(hypothesis):
        taken = next((n for n in range(MOST_PARTS, 1, -1) if _joined(hypothesis[at : at + n], n) in joins), 0)
        if taken and not _side_by_side(hypothesis[at : at + taken], reference):
            words.append("".join(hypothesis[at : at + taken]))
            at += taken
            continue
        words += parts.get(hypothesis[at], (hypothesis[at],))
        at += 1
    return words


def _compounds(words: Sequence[str]) -> list[tuple[str, tuple[str, ...]]]:
    numbers = [word.isdecimal() for word in words]
    return [
        ("".join(words[at : at + n]), tuple(words[at : at + n]))
        for n in range(2, MOST_PARTS + 1)
        for at in range(len(words) - n + 1)
        if not any(numbers[at : at + n])
    ]


def _joined(words: Sequence[str], count: int) -> str | None:
    if len(words) < count or any(word.isdecimal() for word in words):
        return None
    return "".join(words)


def _side_by_side(words: Sequence[str], reference: Sequence[str]) -> bool:
    """Whether the reference has these very words in a row somewhere."""
    count = len(words)
    return any(list(reference[at : at + count]) == list(words) for at in range(len(reference) - count + 1))
