"""Where a text is wanted, what was typed is the text: in a file, and with --set."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.config.text_fields import wanted_at
from bench.config.yaml_reader import Loc
from bench.scenario.model import Scenario
from bench.scenario.read import load_scenario
from tests.scenario.conftest import Load, Problems

BASE = "name: t\nconversation:\n  - say: yes-slt\n"


def at(scenario: Any, path: str) -> Any:
    for word in path.split("."):
        scenario = scenario[word] if isinstance(scenario, dict) else getattr(scenario, word)
    return scenario


TYPED = [
    ("session.instructions", "Say # twice", "Say # twice"),
    ("session.instructions", "Be brief: one sentence.", "Be brief: one sentence."),
    ("session.instructions", "[sic] {really}", "[sic] {really}"),
    ("session.instructions", "*bold* & <b>", "*bold* & <b>"),
    ("session.instructions", "- a dash", "- a dash"),
    ("session.instructions", "!important", "!important"),
    ("session.instructions", "'Hello', she said", "'Hello', she said"),
    ("session.instructions", '"a" and "b"', '"a" and "b"'),
    ("session.instructions", '"Say # twice"', "Say # twice"),
    ("session.instructions", "  between  ", "between"),
    ("session.instructions", "two\nlines", "two\nlines"),
    ("session.instructions", "100% | yes > no", "100% | yes > no"),
    ("session.instructions", "${WHO} and $${x}", "you and ${x}"),
    ("session.instructions", "null", None),
    ("session.instructions", "", None),
    ("session.instructions", '"null"', "null"),
    ("description", "", ""),
    ("description", "null", "null"),
    ("tags.commit", "12345678", "12345678"),
    ("tags.commit", "1e5", "1e5"),
    ("tags.commit", "12e999", "12e999"),
    ("tags.commit", "007", "007"),
    ("tags.commit", "0x1F", "0x1F"),
    ("tags.version", "1.0", "1.0"),
    ("tags.ok", "true", "true"),
    ("tags.ok", "no", "no"),
    ("tags.day", "2026-11-25", "2026-11-25"),
    ("tags.none", "null", "null"),
    ("tags.note", "a: b # c", "a: b # c"),
    ("name", "1234", "1234"),
    ("pricing.model", "4.1", "4.1"),
    ("session.transcription.language", "no", "no"),
    ("session.transcription.prompt", "words: one, two", "words: one, two"),
    ("session.max_output_tokens", "5", 5),
    ("session.max_output_tokens", "inf", "inf"),
    ("session.extra", "{a: 1.0}", {"a": 1.0}),
    ("load.callers", "3", 3),
]


@pytest.mark.parametrize(("path", "typed", "value"), TYPED)
def test_an_option_is_taken_as_it_is_typed(path: str, typed: str, value: object, load: Load) -> None:
    found = at(load(BASE, f"{path}={typed}", env={"WHO": "you"}), path)
    assert (found, type(found)) == (value, type(value))


def test_texts_of_a_target_are_texts(load: Load) -> None:
    target = load(
        BASE,
        "target.url=ws://h/v1",
        "target.model=2.1",
        "target.headers.X-Version=12345678",
        "target.query.api-version=2025-04-01",
        "target.subprotocols=[1.0, realtime]",
        "target.provider=a: b",
        "session.voice={id: 1234}",
    ).target
    assert target is not None
    assert (target.model, target.provider, target.subprotocols) == ("2.1", "a: b", ("1.0", "realtime"))
    assert target.headers == {"X-Version": "12345678"}
    assert target.query == {"api-version": "2025-04-01"}


FILE = """\
name: 12345
x-common: &common
  a: 1.0
  b: 1e5
  count: 5
x-detection: &detection {type: server_vad, silence_duration_ms: 300}
conversation:
  - say: yes-slt
    id: 007
session:
  instructions: 5
  turn_detection: {<<: *detection, threshold: 0.4}
  transcription: {model: 4.5, language: no, prompt: true}
  voice: {name: 1.0}
target: {url: "ws://h/v1", model: 1e5, headers: {X-A: 1.50}, query: {n: 12}, subprotocols: [2.0]}
tags: {<<: *common, b: yes, hash: 12345678, date: 2026-11-25, octal: 0755, ok: true, off: off, huge: 12e999}
pricing: {model: 3}
"""


def test_a_file_says_texts_without_quotes(load: Load) -> None:
    scenario = load(FILE)
    assert scenario.name == "12345"
    assert scenario.conversation[0].id == "007"  # type: ignore[union-attr]
    assert scenario.session.instructions == "5"
    assert scenario.session.voice is not None
    assert scenario.session.voice.value == "1.0"
    detection = scenario.session.turn_detection
    assert detection.type == "server_vad"
    assert (detection.silence_duration_ms, detection.threshold) == (300, 0.4)
    transcription = scenario.session.transcription
    assert transcription is not None
    assert (transcription.model, transcription.language, transcription.prompt) == ("4.5", "no", "true")
    assert scenario.target is not None
    assert (scenario.target.model, scenario.target.headers, scenario.target.query) == (
        "1e5", {"X-A": "1.50"}, {"n": "12"},
    )  # fmt: skip
    assert scenario.target.subprotocols == ("2.0",)
    assert scenario.tags == {
        "a": "1.0", "b": "yes", "count": "5", "hash": "12345678", "date": "2026-11-25", "octal": "0755", "ok": "true",
        "off": "off", "huge": "12e999",
    }  # fmt: skip
    assert scenario.pricing.model == "3"


def test_reuse_has_no_meaning_of_its_own_and_a_mistake_in_it_keeps_its_line(problems: Problems) -> None:
    text = BASE + "x-load: &load {callers: many}\nload: {<<: *load}\n"
    assert problems(text) == ["s.yaml:4: load.callers: found 'many'; allowed: a whole number, without quotes or a unit"]
    assert problems(BASE + "load: {x-callers: 1}")[0].startswith("s.yaml:4: load.x-callers: unknown key")


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (("name",), True),
        (("fixtures",), True),
        (("target", "api_key"), True),
        (("targets", "one", "headers", "X"), True),
        (("target", "subprotocols", 0), True),
        (("conversation", 0, "say"), True),
        (("conversation", 0, "say", 1), True),
        (("conversation", 0, "pause"), False),
        (("session", "transcription", "model"), True),
        (("session", "turn_detection", "release"), False),
        (("session", "turn_detection", "threshold"), False),
        (("session", "max_output_tokens"), False),
        (("session", "extra", "a"), False),
        (("load", "rate"), False),
        (("load", "warmup"), False),
        (("load", "schedule", 0, "rate"), False),
        (("seed",), False),
        (("tags",), False),
        (("tags", "a"), True),
        (("tags", "a", "b"), False),
        (("no", "such"), False),
        ((), False),
    ],
)
def test_the_schema_says_where_a_text_is_wanted(path: Loc, text: bool) -> None:
    assert wanted_at(Scenario, path).text is text


@settings(deadline=None)
@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=1, max_size=40))
def test_any_text_is_kept(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    words = text.strip()
    if "${" in words or words in {"", "~", "null", "Null", "NULL"} or words[:1] in "'\"" or "sk" in words:
        return
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_text(BASE, encoding="utf-8")
    scenario = load_scenario(path, overrides=[f"session.instructions={text}", f"tags.a={text}"], env={})
    assert (scenario.session.instructions, scenario.tags["a"]) == (words, words)
