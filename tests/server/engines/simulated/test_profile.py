"""Profiles: distributions that draw what they say, problems named where they are, examples and defaults that load."""

from __future__ import annotations

import math
import random
import re
import statistics
from pathlib import Path

import pytest

from bench.config.block import Block
from bench.config.distributions import Delay, Gamma, Growth, Lognormal, Mixture
from bench.errors import BenchError
from bench.server.engines.simulated.faults import Fault, session_faults, turn_faults
from bench.server.engines.simulated.profile import (
    Errors,
    FixtureReply,
    Limits,
    Profile,
    RecognitionProfile,
    TranscriptionProfile,
    load_profile,
    parse_profile,
)
from tests.server.support import ROOT

EXAMPLES = sorted((ROOT / "scenarios" / "profiles").glob("*.yaml"))


def delay(text: str) -> Delay:
    return parse_profile(f"first_audio: {text}", Path("p.yaml")).first_audio


def draws(text: str, *, seed: int = 1, open_sessions: int = 0) -> list[float]:
    rng, made = random.Random(seed), delay(text)
    return [made.draw_ms(rng, open_sessions) for _ in range(8000)]


def test_a_constant_is_constant_and_may_be_written_short() -> None:
    assert set(draws("400ms")) == set(draws("{constant: 400ms}")) == {400.0}


def test_a_lognormal_has_its_median_and_spread() -> None:
    found = draws("{lognormal: {median: 400ms, sigma: 0.5}}")
    assert statistics.median(found) == pytest.approx(400, rel=0.03)
    assert statistics.mean(found) == pytest.approx(400 * math.exp(0.5**2 / 2), rel=0.03)


def test_a_gamma_has_its_mean_and_spread() -> None:
    found = draws("{gamma: {mean: 400ms, shape: 4}}")
    assert statistics.mean(found) == pytest.approx(400, rel=0.03)
    assert statistics.pstdev(found) == pytest.approx(200, rel=0.05)


def test_a_mixture_has_its_share_of_the_tail() -> None:
    text = "{mixture: {share: 0.05, tail: 3s, body: 400ms}}"
    found = draws(text)
    assert set(found) == {3000.0, 400.0}
    assert sum(value == 3000 for value in found) / len(found) == pytest.approx(0.05, abs=0.01)


def test_growth_makes_a_knee() -> None:
    text = "{constant: 400ms, growth: {above: 10, per_session: 5ms}}"
    assert set(draws(text, open_sessions=10)) == {400.0}
    assert set(draws(text, open_sessions=13)) == {415.0}


def test_draws_depend_on_the_seed() -> None:
    text = "{gamma: {mean: 400ms, shape: 4}}"
    assert draws(text, seed=3) == draws(text, seed=3) != draws(text, seed=4)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("endpoint: 300ms", ["p.yaml:1", "endpoint", "unknown key", "did you mean 'endpointing'"]),
        ("name: x\nfirst_audio: 300", ["p.yaml:2", "first_audio", "has no unit"]),
        ("first_audio: {lognormal: {median: 400ms}}", ["first_audio.lognormal", "required, but missing"]),
        ("first_audio: {gama: {mean: 4s, shape: 2}}", ["unknown key", "did you mean 'gamma'"]),
        ("first_audio: {constant: 1s, gamma: {mean: 4s, shape: 2}}", ["found constant and gamma", "one of"]),
        ("first_audio: {}", ["found none", "one of"]),
        ("limits: {max_sesions: 3}", ["limits", "did you mean 'max_sessions'"]),
        ("limits: {refuse_with: '500'}", ["found '500'", "error, 429, 503"]),
        ("chunk_gap: 50ms\ndelivery_speed: 2", ["p.yaml:1", "allowed: one of the two"]),
        ("faults: [{kind: stal, rate: 0.1}]", ["faults.0.kind", "did you mean 'stall'"]),
        ("faults: [{kind: stall}]", ["nothing says when"]),
        ("faults:\n  - {kind: stall, rate: 0.1}\n  - {kind: http, at_turn: 1}", ["p.yaml:3", "whole session"]),
        ("faults: [{kind: cut, rate: 1, status: 401}]", ["does not take it"]),
        ("faults: [{kind: http, rate: 1, status: 418}]", ["found 418", "503, 401, 403, 429"]),
        ("faults: [{kind: cut, rate: 1.5}]", ["found 1.5", "1 or less"]),
        ("transcription: {errors: {substitutions: 1.5}}", ["whole number of words"]),
        ("- a\n- b", ["found a list or a single value"]),
        ("a: [", ["not valid YAML"]),
    ],
)
def test_a_problem_is_named_with_place_and_remedy(text: str, words: list[str]) -> None:
    with pytest.raises(BenchError) as refused:
        parse_profile(text, Path("p.yaml"))
    for word in words:
        assert word in refused.value.message
    assert refused.value.exit_code == 2


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(BenchError, match=r"2 problems in p\.yaml"):
        parse_profile("seed: x\nchunk: 0", Path("p.yaml"))


@pytest.mark.parametrize("path", EXAMPLES, ids=[path.stem for path in EXAMPLES])
def test_the_examples_load(path: Path) -> None:
    assert load_profile(path).name == path.stem


def test_no_profile_and_an_empty_one_are_the_defaults(tmp_path: Path) -> None:
    path = tmp_path / "empty.yaml"
    path.write_text("# nothing\n")
    assert load_profile(None) == load_profile(path) == Profile()
    with pytest.raises(BenchError, match="no such file"):
        load_profile(tmp_path / "none.yaml")


def test_faults_strike_at_their_rate_and_where_they_are_told() -> None:
    faults = parse_profile(
        "faults:\n  - {kind: stall, rate: 0.2}\n  - {kind: cut, at_turn: 1}\n  - {kind: http, sessions: [2]}", Path("p")
    ).faults
    stalled = sum("stall" in turn_faults(faults, 1, session, 0) for session in range(3000))
    assert stalled / 3000 == pytest.approx(0.2, abs=0.03)
    assert [("cut" in turn_faults(faults, 1, 0, turn)) for turn in range(3)] == [False, True, False]
    assert [("http" in session_faults(faults, 1, session)) for session in range(4)] == [False, False, True, False]
    assert turn_faults(faults, 1, 7, 0) == turn_faults(faults, 1, 7, 0)
    # a fault added at the end changes nothing before it
    more = (*faults, Fault(kind="no_reply", rate=0.5))
    for session in range(50):
        assert ("stall" in turn_faults(more, 1, session, 0)) == ("stall" in turn_faults(faults, 1, session, 0))


def test_every_key_is_documented() -> None:
    page = (ROOT / "docs" / "simulator.md").read_text()
    blocks: tuple[type[Block], ...] = (
        Profile, RecognitionProfile, TranscriptionProfile, Errors, FixtureReply, Limits, Fault,
        Delay, Lognormal, Gamma, Mixture, Growth,
    )  # fmt: skip
    missing = [
        f"{block.__name__}.{key}"
        for block in blocks
        for key in block.model_fields
        if not re.search(rf"`[^`|]*\b{key}\b[^`|]*`", page)
    ]
    assert not missing
