"""Assumptions from a stored run instead of stated figures: its replies, its cache, its tokens a second.

In: a run folder whose rows have usage. Out: an `Assumption` for the estimate of a larger run against the same server.
Trap: replies are taken by the step that they answer, where the run's conversation is the scenario's; else their mean.
"""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pandas as pd

from bench.errors import BenchError
from bench.pricing.estimate import Assumed
from bench.run.estimate import Assumption, assumption_of, sentences
from bench.run.replies import Replies, Reply
from bench.scenario.model import Scenario
from bench.store.reader import Run, read_run

LEAST_SPREAD = 0.05
"""Doubt about the mean of replies that is stated at least, as a share."""


def assumption_like(path: Path, scenario: Scenario) -> Assumption:
    """What the run in `path` measured. Raises `BenchError` when no turn of it has an answer and a usage."""
    run = read_run(path)
    turns = run.turns.sort_values(["session_id", "turn"])
    answered = turns[turns["status"].eq("ok") & turns["out_text"].notna() & turns["in_text"].notna()]
    if answered.empty:
        raise BenchError(
            f"{path}: no turn of this run was answered and has a usage, so that nothing can be assumed from it",
            hint="name a run of which bench report shows tokens, or leave out --like",
        )
    stated = assumption_of(scenario)
    first = answered[answered["turn"].eq(0)]
    waits = answered["first_audible_ms"].sub(answered["endpoint_ms"].fillna(0)).dropna() / 1000
    audio_s = answered["reply_audio_ms"].sum() / 1000
    assumed = replace(
        stated.assumed,
        agent_tokens_per_s=answered["out_audio"].sum() / audio_s if audio_s else stated.assumed.agent_tokens_per_s,
        preamble_tokens=float(first["in_text"].mean()) if len(first) else stated.assumed.preamble_tokens,
        wait_s=max(0.0, float(waits.mean())) if len(waits) else stated.assumed.wait_s,
    )
    share = _cached_share(turns)
    if share is not None:
        assumed = replace(assumed, cache_from_tokens=0 if share else None, cached_share=share or 1.0)
    replies = _replies(run, answered, assumed, scenario)
    return Assumption(replies, assumed, cache_known=True, sentences=sentences(replies, assumed, known=True))


def _cached_share(turns: pd.DataFrame) -> float | None:
    """How much of the input of the response before came from the cache; None where no turn can tell."""
    same_call = turns["session_id"].eq(turns["session_id"].shift())
    before = (turns["in_text"].fillna(0) + turns["in_audio"].fillna(0)).shift().where(same_call)
    cached = turns["in_cached_text"].fillna(0) + turns["in_cached_audio"].fillna(0)
    whole = float(before.sum())
    return min(1.0, float(cached.where(same_call).sum()) / whole) if whole > 0 else None


def _replies(run: Run, answered: pd.DataFrame, assumed: Assumed, scenario: Scenario) -> Replies:
    seconds = answered["reply_audio_ms"].fillna(0) / 1000
    words = answered["out_text"] / assumed.tokens_per_word
    overall = Reply(float(seconds.mean()), float(words.mean()))
    measure = seconds if overall.seconds else words
    doubt = 1.96 * float(measure.std(ddof=0)) / math.sqrt(len(measure)) / max(float(measure.mean()), 1e-9)
    spread = max(LEAST_SPREAD, doubt)
    by_step: dict[int, Reply] = {}
    if run.manifest.scenario.get("conversation") == scenario.model_dump(mode="json", by_alias=True)["conversation"]:
        for step, rows in answered.groupby("step"):
            by_step[int(str(step))] = Reply(float(seconds[rows.index].mean()), float(words[rows.index].mean()))
    length = f"{overall.seconds:.1f} s" if overall.seconds else f"{overall.words:.0f} words"
    where = f"{len(answered):,} turns, {length} on average, ±{100 * spread:.0f} %"
    said = f"replies are as in {run.folder.root.name} ({where})"
    return Replies(said, lambda: lambda place, _text: by_step.get(place, overall), 1 - spread, 1 + spread)
