"""Scenarios with several targets: one chosen, or all interleaved, and what each changes for itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.scenario.load_sentence import load_sentence
from bench.scenario.read import expanded, scenario_from_dict
from tests.scenario.conftest import Load, Problems

TWO = """
name: two
targets:
  mini: {url: "ws://a.example/", model: m}
  other:
    url: ws://b.example/
    model: deployment
    provider: vendor
    session: {voice: {name: af_heart}, transcription: null}
    pricing: {model: gpt-realtime}
session: {instructions: Be brief., frame: 20ms}
conversation: [{say: yes-slt}]
thresholds: ["error_rate < 1%", "error_rate{target=mini} < 2%", "error_rate{target=other} < 3%"]
load: {interleave: true, callers: 4, sessions: 10}
"""


def test_all_targets_are_kept_when_they_are_interleaved(load: Load) -> None:
    found = load(TWO)
    assert (found.target, list(found.targets), found.target_names) == (None, ["mini", "other"], ("mini", "other"))
    said = load_sentence(found.load, found.turns, list(found.targets))
    assert said == "10 calls of 1 turn each, 4 at a time, to mini and other in random turn"


def test_each_part_is_the_scenario_with_what_its_target_changes(load: Load) -> None:
    mini, other = load(TWO).parts().values()
    assert mini.target is not None
    assert other.target is not None
    assert (mini.target.provider_name, other.target.provider_name) == ("mini", "vendor")
    assert (mini.target_names, other.target_names) == (("mini",), ("other",))
    assert mini.session.voice is None
    assert mini.session.transcription is not None
    assert other.session.voice is not None
    assert (other.session.voice.value, other.session.transcription) == ("af_heart", None)
    assert (other.session.instructions, other.session.frame_ms) == ("Be brief.", 20)
    assert (mini.pricing.model, other.pricing.model) == (None, "gpt-realtime")
    assert (other.target.session, other.target.pricing, other.load.interleave) == (None, None, False)


def test_a_chosen_target_is_the_same_part_without_bounds_on_others(load: Load) -> None:
    other = load(TWO, target_name="other")
    assert other == load(TWO).parts()["other"]
    assert [each.threshold for each in other.thresholds] == ["error_rate < 1%", "error_rate{target=other} < 3%"]
    assert other.target_names == ("other",)


def test_what_is_stored_of_it_is_read_as_the_same(load: Load, tmp_path: Path) -> None:
    both, other = load(TWO), load(TWO, target_name="other")
    assert scenario_from_dict(expanded(both), source=tmp_path / "s.yaml") == both
    again = scenario_from_dict(expanded(other), source=tmp_path / "s.yaml", check_fixtures=False)
    assert expanded(again) == expanded(other)
    assert expanded(load(TWO))["targets"]["other"]["session"] == {"voice": {"name": "af_heart"}, "transcription": None}


def test_an_only_target_is_called_by_its_label(load: Load) -> None:
    head = "name: t\nconversation: [{say: yes-slt}]\n"
    assert load(head).target_names == ("embedded",)
    assert load(head, url="ws://host.example/").target_names == ("host.example",)


@pytest.mark.parametrize(
    "change, said",
    [
        (["target={url: 'ws://a/'}"], "load.interleave: found with target; allowed: with targets, a mapping of two"),
        (["load.sessions=1"], "load.sessions: found 1 for 2 interleaved targets; allowed: 2 or more, one for each"),
        (["targets.a b.url=ws://a/"], "targets.a b: found 'a b'; allowed: letters, digits"),
        (["targets={a: {url: 'ws://a/'}}"], "load.interleave: found with 1 target; allowed"),
        (["thresholds=['error_rate{target=mni} < 1%']"], "no turn has target=mni; did you mean 'mini'?; allowed: mini"),
        (["targets.mini.url=null"], "targets.mini: no url; add url"),
        (["targets.mini.session.fram=20ms"], "targets.mini.session.fram: unknown key"),
        (
            ["session.output=text", "targets.mini.session.voice=alloy"],
            "targets.mini.session.voice: has no effect with output: text",
        ),
    ],
)
def test_mistakes_are_named_with_what_is_allowed(problems: Problems, change: list[str], said: str) -> None:
    assert any(said in problem for problem in problems(TWO, *change)), problems(TWO, *change)


def test_open_arrivals_need_room_for_each_target(problems: Problems) -> None:
    load = "load={interleave: true, arrival: constant, rate: 1/s, duration: 5s, max_open: 1}"
    assert any("load.max_open: found 1 for 2 interleaved targets" in each for each in problems(TWO, load))


def test_keys_of_its_own_are_for_targets_of_several(problems: Problems) -> None:
    only = "name: t\nconversation: [{say: yes-slt}]\ntarget: {url: 'ws://a/', session: {frame: 20ms}}"
    assert problems(only) == ["s.yaml:3: target.session: only under targets; allowed: the scenario's own session"]


def test_an_address_of_its_own_needs_the_name_of_its_target(load: Load, problems: Problems) -> None:
    said = "found with interleaved targets; allowed: --target with one of mini, other, or --set targets.NAME.url=URL"
    assert problems(TWO, url="ws://c/") == [f"--url: {said}"]
    one = load(TWO, url="ws://c/", target_name="mini").target
    assert one is not None
    assert one.url == "ws://c/"
