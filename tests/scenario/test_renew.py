"""`session.renew`: its word, its keys, what is refused, and that it survives being written out."""

from __future__ import annotations

import pytest
import yaml

from bench.dialects.session_config import SessionConfig
from tests.scenario.conftest import Load, Problems

TEXT = "name: t\nconversation: [say: yes-slt]\ntarget: {url: 'wss://h/', dialect: DIALECT}\nsession: {renew: RENEW}\n"


def text(renew: str, dialect: str = "openai") -> str:
    return TEXT.replace("RENEW", renew).replace("DIALECT", dialect)


@pytest.mark.parametrize(
    ("written", "after_ms", "before_ms", "context"),
    [
        ("before_expiry", None, 60_000, "none"),
        ("{after: 25m}", 1_500_000, 60_000, "none"),
        ("{after: 25m, before_expiry: null, context: text}", 1_500_000, None, "text"),
        ("{before_expiry: 2m}", None, 120_000, "none"),
    ],
)
def test_a_word_or_a_mapping(
    load: Load, written: str, after_ms: int | None, before_ms: int | None, context: str
) -> None:
    session = load(text(written)).session
    assert session.renew is not None
    assert (session.renew.after_ms, session.renew.before_expiry_ms, session.renew.context) == (
        after_ms,
        before_ms,
        context,
    )
    again = SessionConfig.model_validate(yaml.safe_load(yaml.safe_dump(session.model_dump(mode="json", by_alias=True))))
    assert again == session


def test_never(load: Load) -> None:
    assert load(text("null")).session.renew is None


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ("before_expire", "did you mean 'before_expiry'?"),
        ("25m", "found '25m'; allowed: before_expiry, a mapping"),
        ("{before_expiry: null}", "found null without after: never"),
        ("{after: 10ms}", "after: found 10ms; allowed: 1s or more"),
        ("{context: audio}", "context"),
    ],
)
def test_what_is_refused(problems: Problems, written: str, found: str) -> None:
    (line,) = problems(text(written))
    assert found in line


@pytest.mark.parametrize("dialect", ["openai", "openai-beta", "gemini-live", "xai"])
def test_dialects_whose_sessions_can_be_renewed(load: Load, dialect: str) -> None:
    assert load(text("before_expiry", dialect)).session.renew is not None
