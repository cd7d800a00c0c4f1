"""--set, --url and --target: what they change, and that their mistakes name the option."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.config.problems import ConfigError
from tests.scenario.conftest import Load, Problems

BASE = """\
name: t
conversation:
  - say: yes-slt
  - pause: 1s
load: {callers: 2, sessions: 4}
"""
TARGETS = BASE + "targets:\n  one: {url: 'wss://one/v1', model: m}\n  two: {model: n, provider: p}\n"


def test_set_reads_yaml_and_makes_blocks_on_the_way(load: Load) -> None:
    scenario = load(
        BASE,
        "load.callers=50",
        "conversation.0.say=[yes-rms, yes-slt]",
        "session.turn_detection={type: manual, release: 1s}",
        "timeouts.reply=20s",
        "description=a = b",
        "seed=${S:-9}",
        "tags.release='42'",
    )
    assert scenario.load.callers == 50
    assert scenario.conversation[0].say == ("yes-rms", "yes-slt")  # type: ignore[union-attr]
    assert scenario.session.manual
    assert (scenario.timeouts.reply_ms, scenario.description, scenario.seed) == (20_000, "a = b", 9)
    assert scenario.tags == {"release": "42"}


def test_the_last_set_counts_and_mends_what_the_file_has_wrong(load: Load) -> None:
    assert load("name: a b\nconversation: [{say: yes-slt}]\nseed: ${NO}", "name=c", "seed=1", "seed=2").seed == 2


def test_a_duration_takes_the_place_of_sessions_and_back(load: Load, problems: Problems) -> None:
    by_time = load(BASE, "load.duration=30s").load
    assert (by_time.duration_ms, by_time.sessions) == (30_000, None)
    by_count = load(BASE.replace("sessions: 4", "duration: 1m"), "load.sessions=3").load
    assert (by_count.duration_ms, by_count.sessions) == (None, 3)
    (found,) = problems(BASE, "load.duration=30s", "load.sessions=3")
    assert found.startswith("--set load.duration: load.duration: found with sessions")


@pytest.mark.parametrize(
    ("option", "problem"),
    [
        ("load.calers=5", "--set load.calers: load.calers: unknown key; allowed: arrival, callers"),
        ("load.calers=5", "did you mean 'callers'?"),
        ("lod.callers=5", "--set lod.callers: lod: unknown key; allowed: name, "),
        ("load.callers=many", "--set load.callers: load.callers: found 'many'; allowed: a whole number"),
        ("load.callers=[1", "--set load.callers: load.callers: not valid YAML: "),
        ("load.callers", "--set: not of the form path=value; allowed: for example --set load.callers=50"),
        ("=5", "--set : not of the form path=value"),
        ("load..callers=5", "--set load..callers: not of the form path=value"),
        ("conversation.2.say=x", "--set conversation.2.say: conversation.2: no item '2' in the list; allowed: 0 to 1"),
        ("conversation.-1.say=x", "no item '-1' in the list; allowed: 0 to 1"),
        (
            "name.first=x",
            "--set name.first: name: found 't', which has no keys; set it whole: --set 'name={first: ...}'",
        ),
        ("conversation.0.say=yes-sl", "--set conversation.0.say: conversation.0.say: no fixture 'yes-sl'"),
        ("seed=${NO}", "--set seed: seed: the environment variable NO is not set"),
        ("target.url=host", "--set target.url: target.url: the URL's scheme is none"),
    ],
)
def test_a_mistake_names_the_option(option: str, problem: str, problems: Problems) -> None:
    (found,) = problems(BASE, option)
    assert problem in found


def test_a_secret_in_an_option_is_not_shown(problems: Problems) -> None:
    (found,) = problems(BASE, "target={url: 'ws://h', api_key: sk-abcdefghijklmnop}")
    assert found.startswith("--set target: target.api_key: a secret must not be written")
    assert "sk-abc" not in found


def test_url_makes_or_changes_the_target(load: Load, problems: Problems) -> None:
    made = load(BASE, url="http://127.0.0.1:8000/v1/realtime").target
    assert made is not None
    assert (made.dialect, made.url, made.provider_name) == ("openai", "ws://127.0.0.1:8000/v1/realtime", "127.0.0.1")
    changed = load(BASE + "target: {url: 'wss://a/b', model: m, provider: p}", url="https://c/d").target
    assert changed is not None
    assert (changed.url, changed.model, changed.provider_name) == ("wss://c/d", "m", "p")
    assert problems(BASE, url="c/d")[0].startswith(
        "--url: target.url: the URL's scheme is none; allowed: wss://host/path"
    )


def test_a_target_is_chosen_by_name(load: Load, problems: Problems) -> None:
    one = load(TARGETS, target_name="one")
    assert one.target is not None
    assert (one.target.model, one.target.provider_name, one.targets) == ("m", "one", {})
    two = load(TARGETS, target_name="two", url="ws://x/y").target
    assert two is not None
    assert (two.url, two.provider_name) == ("ws://x/y", "p")
    assert load(TARGETS.split("  two")[0]).target is not None
    assert list(load(TARGETS, choose_target=False).targets) == ["one", "two"]
    assert problems(TARGETS) == [
        "s.yaml:6: targets: several targets; allowed: --target with one of: one, two; or load.interleave: true"
    ]
    assert problems(TARGETS, url="ws://x/y") == problems(TARGETS)
    assert problems(TARGETS, target_name="tow") == [
        "--target: found 'tow'; allowed: --target with one of: one, two; did you mean 'two'?"
    ]
    assert problems(TARGETS, target_name="two")[0].startswith("s.yaml:8: targets.two: no url; add url")
    assert problems(BASE, target_name="two")[0].startswith("--target: found 'two'; allowed only for a scenario with")
    assert "found with target; allowed: one of them" in problems(TARGETS + "target: {url: 'ws://h'}")[0]


def test_set_on_an_empty_file_still_says_what_is_missing(tmp_path: Path, problems: Problems) -> None:
    found = problems("", "name=x")
    assert len(found) == 1
    assert "conversation: required, but missing" in found[0]


def test_one_message_carries_every_problem(load: Load) -> None:
    with pytest.raises(ConfigError) as caught:
        load(BASE, "load.calers=5", "name=a b")
    assert caught.value.message.splitlines()[0].startswith("2 problems in ")
    assert len(caught.value.message.splitlines()) == 3
