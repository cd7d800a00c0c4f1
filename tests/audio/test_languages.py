"""Languages by every usual name; one that nobody knows is not English."""

from __future__ import annotations

import pytest

from bench.audio.languages import language_of


@pytest.mark.parametrize(
    "name, code",
    [
        ("en", "en"), ("en-GB", "en"), ("en_US", "en"), ("eng", "en"), ("English", "en"), ("English (UK)", "en"),
        ("British English", "en"), ("unknown", "en"), ("", "en"), ("jpn", "ja"), ("Japanese", "ja"), ("ja-JP", "ja"),
        ("zh-Hans", "zh"), ("cmn", "zh"), ("Mandarin", "zh"), ("Chinese (Simplified)", "zh"), ("yue-HK", "yue"),
        ("pt-BR", "pt"), ("Brazilian Portuguese", "pt"), ("ger", "de"), ("deu", "de"), ("ara", "ar"), ("HI", "hi"),
        ("Farsi", "fa"), ("th", "th"), ("Filipino", "tl"), ("English-like", "en"),
    ],
)  # fmt: skip
def test_names(name: str, code: str) -> None:
    assert language_of(name).code == code
    assert language_of(name).has_spaces == (code not in {"ja", "zh", "yue", "th"})


@pytest.mark.parametrize("name", ["Klingon", "xx", "e", "123", "the"])
def test_what_is_no_language_is_said_so(name: str) -> None:
    with pytest.raises(ValueError, match="no language"):
        language_of(name)
