"""`auth` of a target: its words, its keys, what is refused, and that it survives being written out."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from bench.scenario.target import Target
from tests.scenario.conftest import Load, Problems

TEXT = """name: t
conversation: [say: yes-slt]
target:
  url: wss://h/v1/realtime
  api_key: env:K
  auth: {auth}
"""


@pytest.mark.parametrize(
    ("written", "lifetime_ms", "reuse", "url"),
    [
        ("ephemeral", 600_000, False, None),
        ("{type: ephemeral}", 600_000, False, None),
        ("{type: ephemeral, lifetime: 1m, reuse: true, renew: 10s}", 60_000, True, None),
        ("{type: ephemeral, url: 'https://b.example/s'}", 600_000, False, "https://b.example/s"),
    ],
)
def test_a_word_or_a_mapping(load: Load, written: str, lifetime_ms: int, reuse: bool, url: str | None) -> None:
    target = load(TEXT.replace("{auth}", written)).target
    assert target is not None
    assert target.auth is not None
    assert (target.auth.lifetime_ms, target.auth.reuse, target.auth.url) == (lifetime_ms, reuse, url)
    again = Target.model_validate(yaml.safe_load(yaml.safe_dump(target.model_dump(mode="json", by_alias=True))))
    assert again == target


@pytest.mark.parametrize("written", ["key", "null"])
def test_the_key_itself(load: Load, written: str) -> None:
    target = load(TEXT.replace("{auth}", written)).target
    assert target is not None
    assert target.auth is None


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ("ephemral", "did you mean 'ephemeral'?"),
        ("{lifetime: 1m}", "found no type; allowed: key, ephemeral"),
        ("{type: signed}", "found 'signed'; allowed: key, ephemeral"),
        ("{type: ephemeral, lifetime: 1s}", "lifetime: found 1000ms; allowed: 10s to 2h"),
        ("{type: ephemeral, lifetime: 3h}", "allowed: 10s to 2h"),
        ("{type: ephemeral, lifetime: 30s, reuse: true}", "renew: found a time that is not shorter than lifetime"),
        ("{type: ephemeral, url: 'wss://h/x'}", "allowed: https://host/path"),
        ("{type: ephemeral, url: 'https://u:p@h/x'}", "a user name or password in the URL (not shown)"),
        ("{type: ephemeral, url: 'https://h/x?api_key=abc'}", "a secret in the URL's parameters (not shown)"),
    ],
)
def test_what_is_refused(problems: Problems, written: str, found: str) -> None:
    (line,) = problems(TEXT.replace("{auth}", written))
    assert found in line
    assert "auth" in line


def test_there_must_be_a_key_to_ask_with(problems: Problems) -> None:
    text = TEXT.replace("{auth}", "ephemeral").replace("  api_key: env:K\n", "")
    (line,) = problems(text)
    assert "found without api_key" in line


def test_a_dialect_without_short_lived_keys(problems: Problems) -> None:
    (line,) = problems(TEXT.replace("{auth}", "ephemeral\n  dialect: openai-live"))
    assert "dialect openai-live has no short-lived keys; allowed with: openai" in line


@pytest.mark.parametrize(
    ("url", "warned"), [("http://b.example/s", True), ("https://b.example/s", False), ("http://127.0.0.1/s", False)]
)
def test_a_key_that_others_could_read_on_its_way_to_the_backend(url: str, warned: bool) -> None:
    body: dict[str, Any] = {"url": "wss://h/", "api_key": "env:K", "auth": {"type": "ephemeral", "url": url}}
    assert bool(Target.model_validate(body).exposures) == warned
