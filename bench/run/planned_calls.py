"""The calls of a scenario before any is made: what is said in each, how long they last, and how many there are.

In: a scenario, its recordings, assumed replies. Out: exchanges of a call (`bench.pricing.estimate` bills them), and the
number of calls that the load comes to.
Trap: the draws of a call are those of the run itself, from the seed and the call's number.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count

from bench.audio.catalogue import Fixture
from bench.load.factory import draws_of
from bench.pricing.estimate import Exchange
from bench.run.replies import Replies
from bench.scenario.arrivals import OpenArrivals, Windows, next_within
from bench.scenario.ceiling_search import Played, SearchBounds, next_step
from bench.scenario.load_shapes import admission_s, sessions_of_caller, shape_of, total_sessions
from bench.scenario.model import LoadConfig, Scenario
from bench.scenario.search_levels import settling_ms
from bench.scenario.steps import Interrupt, StepBlock
from bench.session.call import CallStep
from bench.session.steps import step_of

PREFIX_PADDING_S = 0.3
"""Audio from before the speech that a server takes in with it, where the scenario does not say."""
MOST_SIMULATED = 100_000
"""Calls of a load without a number of calls that are played one by one; beyond it, their mean length decides."""
MOST_LEVELS = 100
"""Levels of a search that are counted in an estimate."""


@dataclass(frozen=True, slots=True)
class Outline:
    """What one call draws: the fixture of each step, None where it speaks none."""

    spoken: tuple[str | None, ...]


def outline(scenario: Scenario, fixtures: Mapping[str, Fixture], index: int) -> Outline:
    """The draws of call number `index`."""
    draw = draws_of(scenario.seed, index)
    steps = [step_of(place, block, fixtures, draw) for place, block in enumerate(scenario.conversation)]
    return Outline(tuple(_spoken(step, block) for step, block in zip(steps, scenario.conversation, strict=True)))


def _spoken(step: CallStep, block: StepBlock) -> str | None:
    """The fixture that a step draws; of a kind that does not say, the first that it may speak."""
    fixture = getattr(step, "fixture", None)
    return fixture.id if isinstance(fixture, Fixture) else next(iter(block.fixture_ids), None)


def exchanges(scenario: Scenario, fixtures: Mapping[str, Fixture], of: Outline, replies: Replies) -> list[Exchange]:
    """What is said in a call, in order; a pause lengthens the exchange that follows it."""
    found: list[Exchange] = []
    answer = replies.begin()
    in_words = scenario.session.output == "text"
    waited_s = carried_s = 0.0
    for place, (block, name) in enumerate(zip(scenario.conversation, of.spoken, strict=True)):
        fixture = fixtures[name] if name is not None else None
        heard_s, caller_s = _caller(scenario, fixture, first=not found) if fixture is not None else (0.0, 0.0)
        if block.CUTS_IN and not block.TURNS:
            # A sound that is made while a reply is heard: a server that behaves takes nothing in of it.
            continue
        if not (block.HAS_REPLY or block.TURNS):
            # A pause, or a sound that nobody answers: it is heard with what is said next.
            waited_s += caller_s + getattr(block, "pause_ms", 0) / 1000
            carried_s += heard_s
            continue
        if block.CUTS_IN and found:
            found[-1] = replace(found[-1], heard_reply_s=_cut_after_s(scenario, block))
        reply = answer(place, fixture.text if fixture is not None else None)
        found.append(
            Exchange(
                heard_s=carried_s + heard_s,
                caller_s=waited_s + caller_s,
                caller_words=len(fixture.text.split()) if fixture is not None else 0,
                reply_s=0.0 if in_words else reply.seconds,
                reply_words=reply.words,
                is_turn=block.TURNS > 0,
            )
        )
        waited_s = carried_s = 0.0
    return found


def _cut_after_s(scenario: Scenario, block: StepBlock) -> float:
    """How much of a reply is heard before `block` cuts into it."""
    cut = block.interrupt if isinstance(block, Interrupt) else None
    if cut is None:
        return 0.0
    if cut.after_ms is not None:
        return cut.after_ms / 1000
    return (cut.words or 0) / scenario.estimate.words_per_s


def _caller(scenario: Scenario, fixture: Fixture, *, first: bool) -> tuple[float, float]:
    """Seconds that the server takes in as the turn, and until the turn has ended."""
    detection = scenario.session.turn_detection
    start_s, end_s = fixture.speech_start_ms / 1000, fixture.speech_end_ms / 1000
    if detection.type == "manual":
        return end_s + detection.release_ms / 1000, end_s + detection.release_ms / 1000
    silence_s = (getattr(detection, "silence_duration_ms", None) or 500) / 1000
    said_ms = getattr(detection, "prefix_padding_ms", None)
    padding_s = PREFIX_PADDING_S if said_ms is None else said_ms / 1000
    # Before the first word of a call there is no more silence than the recording begins with.
    before_s = min(padding_s, start_s) if first else padding_s
    return before_s + (end_s - start_s) + silence_s, end_s + silence_s


def number_of_calls(load: LoadConfig, seed: int, length_s: Callable[[int], float], mean_s: float) -> int:
    """How many calls the load comes to, if call number `n` lasts `length_s(n)` and calls last `mean_s` on average."""
    if load.search is not None:
        return _calls_of_search(load, mean_s)
    sessions, shape = total_sessions(load), shape_of(load)
    if isinstance(shape, OpenArrivals):
        return _arrivals_that_find_room(shape.offsets_s(seed), shape.most_open(), length_s)
    if sessions is not None:
        return sessions
    until_s = admission_s(load) or 0.0
    share = shape.share(seed, worker=0, workers=1)
    wanted_s = sum(max(0.0, min(end_s, until_s) - begin_s) for each in share.windows_s for begin_s, end_s in each)
    rough = wanted_s / max(mean_s, 0.001)
    if rough > MOST_SIMULATED:
        return round(rough)
    pairs = zip(share.callers, share.windows_s, strict=True)
    return sum(_calls_of_caller(caller, load, windows_s, until_s, length_s) for caller, windows_s in pairs)


def _calls_of_search(load: LoadConfig, mean_s: float) -> int:
    """Whole calls that the levels add up to where the ceiling is just below the highest: a lower one costs less."""
    search = load.search
    assert search is not None
    most = search.highest(load.planned_peak)
    bounds = SearchBounds(min(search.start, most), most, search.precision, whole=not search.rated)
    played: list[Played] = []
    calls = 0.0
    while (step := next_step(bounds, played)) is not None:
        share = 0.5 if step.aim == "double" else 1.0
        length_s = (settling_ms(search, mean_s) + share * search.level_ms) / 1000
        calls += step.level * length_s / (60 if search.rated else max(mean_s, 0.001))
        played.append(Played(step.level, step.level < most, sure=step.level != bounds.first))
        if len(played) > MOST_LEVELS:
            break
    return max(1, round(calls))


def _calls_of_caller(
    caller: int, load: LoadConfig, windows_s: Windows, until_s: float, length_s: Callable[[int], float]
) -> int:
    made, free_s = 0, 0.0
    for index in sessions_of_caller(caller, load):
        begin_s = next_within(windows_s, free_s)
        if begin_s is None or begin_s >= until_s:
            break
        made += 1
        free_s = begin_s + max(length_s(index), 0.001)
    return made


def _arrivals_that_find_room(offsets_s: Sequence[float], cap: int | None, length_s: Callable[[int], float]) -> int:
    if cap is None:
        return len(offsets_s)
    ends: list[float] = []
    made = 0
    for index, offset_s in zip(count(), offsets_s, strict=False):
        while ends and ends[0] <= offset_s:
            heapq.heappop(ends)
        if len(ends) < cap:
            heapq.heappush(ends, offset_s + length_s(index))
            made += 1
    return made
