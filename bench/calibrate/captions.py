"""How wrong the delays of captions are: words as they were seen against words as the server sent them.

In: the rows and timelines of a run, and the truth logs of its server. Out: one row for each word of each turn. A true
delay is the instant at which the server wrote the message that shows (or settles) a word, less the end of that word on
the caller's media clock. An oracle of its own: it keeps every text that was shown and looks back, where
`bench.measure.captions` follows each place.
Trap: a word that only one side has stays in the table, with its reason.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import orjson
import pandas as pd

from bench.calibrate.sent import Record, TrueSession
from bench.facts.timeline import Timeline, TurnFacts
from bench.store.reader import Run

NS_PER_MS = 1e6
COLUMNS = [
    *("session_id", "turn", "word", "shown_ms", "shown_ms_true", "shown_ms_error"),
    *("settled_ms", "settled_ms_true", "settled_ms_error"),
    *("final_ms_error", "word_end_ms_error", "changes", "changes_true"),
]
_KIND = "conversation.item.input_audio_transcription."


def check_captions(run: Run, timelines: Iterable[Timeline], sessions: Mapping[str, TrueSession]) -> pd.DataFrame:
    """One row for each word that either side has. `word_end_ms_error` is our end of it less the server's."""
    servers = dict(zip(run.sessions["session_id"], run.sessions["server_session_id"], strict=True))
    rows = {(row["session_id"], row["turn"]): row for row in run.turns.to_dict("records")}
    found: list[dict[str, Any]] = []
    for timeline in timelines:
        name = timeline.labels.session_id
        truth = sessions.get(servers.get(name) or "")
        for place, turn in enumerate(timeline.turns):
            row = rows.get((name, turn.index))
            if truth is None or row is None:
                continue
            following = timeline.turns[place + 1] if place + 1 < len(timeline.turns) else None
            until_ns = following.speech_start_ns if following is not None else math.inf
            found += _words(name, turn, row, truth, until_ns)
    return pd.DataFrame(found, columns=COLUMNS)


def _words(
    name: str, turn: TurnFacts, row: Mapping[Any, Any], truth: TrueSession, until_ns: float
) -> Iterable[dict[str, Any]]:
    records = [each for each in truth.turns if turn.t0_ns <= (each["speech_end_ns"] or 0) < until_ns]
    items = {item for each in records for item in each["items"]}
    events = [each for each in truth.events if each["type"].startswith(_KIND) and each.get("item") in items]
    texts = _texts(events)
    measured = orjson.loads(row["caption_words"]) if isinstance(row["caption_words"], str) else []
    ends_ns: Sequence[int] = turn.word_ends_ns or ()
    theirs = [end for each in records for end in (each.get("captions") or {}).get("word_ends_ns") or ()]
    final_ns = events[-1]["at_ns"] if events else None
    last = texts[-1][1] if texts else []
    for place in range(max(len(measured), len(last))):
        # Words that were said without a place in the final text shift the others; such turns are not for this check.
        both = place < len(measured) and place < len(last) and len(ends_ns) == len(last)
        true = _delays_ms(texts, place, ends_ns[place]) if both else (math.nan, math.nan)
        mine = measured[place] if place < len(measured) else (math.nan, math.nan)
        yield {
            "session_id": name,
            "turn": turn.index,
            "word": place,
            "shown_ms": mine[0],
            "shown_ms_true": true[0],
            "shown_ms_error": mine[0] - true[0],
            "settled_ms": mine[1],
            "settled_ms_true": true[1],
            "settled_ms_error": mine[1] - true[1],
            "final_ms_error": math.nan
            if final_ns is None
            else row["caption_final_ms"] - (final_ns - turn.speech_end_ns) / NS_PER_MS,
            "word_end_ms_error": (ends_ns[place] - theirs[place]) / NS_PER_MS
            if both and place < len(theirs)
            else math.nan,
            "changes": row["caption_changes"],
            "changes_true": _changes(texts),
        }


def _texts(events: Sequence[Record]) -> list[tuple[int, list[str]]]:
    """Every text that was shown, with when: of one item, as the server sends it."""
    found: list[tuple[int, list[str]]] = []
    so_far = ""
    for event in events:
        if event["type"] == f"{_KIND}failed":
            continue
        said = event.get("transcript")
        so_far = said if said is not None else so_far + event["text"]
        words = ["".join(letter for letter in word.lower() if letter.isalnum()) for word in so_far.split()]
        found.append((event["at_ns"], [word for word in words if word]))
    return found


def _delays_ms(texts: Sequence[tuple[int, list[str]]], place: int, end_ns: int) -> tuple[float, float]:
    right = texts[-1][1][place]
    shown_ns = next(at_ns for at_ns, words in texts if len(words) > place)
    settled_ns = texts[-1][0]
    for at_ns, words in reversed(texts):
        if len(words) <= place or words[place] != right:
            break
        settled_ns = at_ns
    return (shown_ns - end_ns) / NS_PER_MS, (settled_ns - end_ns) / NS_PER_MS


def _changes(texts: Sequence[tuple[int, list[str]]]) -> int:
    return sum(
        before[place : place + 1] != after[place : place + 1]
        for (_, before), (_, after) in pairwise(texts)
        for place in range(len(before))
    )


def worst_ms(checked: pd.DataFrame, column: str, share: float = 0.99) -> float:
    """That quantile of |error|; NaN where nothing is known."""
    values = checked[column].abs().dropna().to_numpy(dtype=float)
    return float(np.quantile(values, share)) if len(values) else math.nan
