"""Which words were taken for which, over all turns of a run.

In: a `View` and the turns that have a score. Out: `Confusion`s, the most frequent first.
Trap: aligning is slow, so each pair of texts is aligned once, however many turns it has, and at most `MOST_PAIRS` pairs
are; the most frequent ones first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby

import numpy as np

from bench.measure.wer import AlignedChunk, alignment
from bench.report.findings_words import Confusion
from bench.report.stats import Floats
from bench.report.view import Mask, View, text

MOST_PAIRS = 2_000
MOST_SHOWN = 15
Pair = tuple[str, str]


def confusions(view: View, scored: Mask, wrong: Floats) -> list[Confusion]:
    """Words said and what was heard instead; nothing said for a word that was added, nothing heard for one lost."""
    rows = np.flatnonzero(scored & (wrong > 0))
    columns = (view.turns[name].iloc[rows].to_numpy() for name in ("reference", "hypothesis", "language"))
    pairs = Counter(
        (text(said) or "", text(heard) or "", text(language)) for said, heard, language in zip(*columns, strict=True)
    )
    times: Counter[Pair] = Counter()
    turns: Counter[Pair] = Counter()
    for (said, heard, language), count in pairs.most_common(MOST_PAIRS):
        for pair, seen in Counter(_pairs(alignment(said, heard, language or "unknown"))).items():
            times[pair] += seen * count
            turns[pair] += count
    order = sorted(times, key=lambda pair: (-times[pair], pair))[:MOST_SHOWN]
    return [
        Confusion(said=said, heard=heard, times=times[said, heard], turns=turns[said, heard]) for said, heard in order
    ]


def _pairs(chunks: Sequence[AlignedChunk]) -> Iterator[Pair]:
    """What was said and heard where the two differ; digits that stand together are one number."""
    for said, heard in _numbers_whole(chunks):
        if said == heard:
            continue
        if len(said) == len(heard):
            yield from ((one, other) for one, other in zip(said, heard, strict=True) if one != other)
        elif said and heard:
            yield " ".join(said), " ".join(heard)
        else:
            yield from ((word, "") for word in said)
            yield from (("", word) for word in heard)


def _numbers_whole(chunks: Sequence[AlignedChunk]) -> Iterator[tuple[list[str], list[str]]]:
    """The texts in pieces, side by side; numbers are compared digit by digit, and are put together again here."""
    pieces: list[tuple[list[str], list[str]]] = []
    in_number = False
    for said, heard in _pieces(chunks):
        digits = all(word.isdigit() for word in (*said, *heard))
        if digits and in_number:
            pieces[-1][0].extend(said)
            pieces[-1][1].extend(heard)
        else:
            pieces.append((said, heard))
        in_number = digits
    for said, heard in pieces:
        whole = all(word.isdigit() for word in (*said, *heard))
        yield (_joined(said), _joined(heard)) if whole else (said, heard)


def _pieces(chunks: Sequence[AlignedChunk]) -> Iterator[tuple[list[str], list[str]]]:
    """Chunks, of which those that are equal are cut between digits and other words."""
    for chunk in chunks:
        if chunk.op != "equal":
            yield list(chunk.reference), list(chunk.hypothesis)
            continue
        for _, group in groupby(chunk.reference, key=str.isdigit):
            words = list(group)
            yield words, list(words)


def _joined(digits: list[str]) -> list[str]:
    return ["".join(digits)] if digits else []
