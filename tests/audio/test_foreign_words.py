"""Texts of other languages in the sounds of the aligner's model."""

from __future__ import annotations

import pytest

from bench.audio.foreign_words import english_sounds, foreign_words


@pytest.mark.parametrize(
    ("language", "text", "last"),
    [
        ("it", "Qual è il saldo del mio conto corrente?", "K OW R R EH N T EY"),
        ("Spanish", "Hasta el viernes.", "V Y EY R N EY S"),
        ("fr-CA", "Quel est le solde de mon compte courant ?", "K UW R AA N"),
        ("deu", "Ich möchte Zähne", "T S EH N AH"),
        ("pt", "sexta de manhã", "M AH N N Y AH N"),
        ("ru", "нажмите решетку", "R IY SH EH T K UW"),
        ("ar", "مرحبا بالعالم", "B IY L AA L AA M"),
        ("hi", "नमस्ते दुनिया", "D UH N IH Y AA"),
        ("en", "My number is 45", "F AO R R IY F AY V"),
    ],
)
def test_the_last_word_of_a_text_in_the_sounds_of_the_model(language: str, text: str, last: str) -> None:
    words = foreign_words(text, language)
    assert words is not None
    assert "".join(words).replace(" ", "").endswith(last.replace(" ", ""))


def test_chinese_is_read_syllable_by_syllable() -> None:
    words = foreign_words("我的账户里还有多少钱？", "zh")
    assert words is not None
    assert len(words) >= 6


@pytest.mark.parametrize(("language", "text"), [("ja", "残高はいくらですか"), ("fr", ""), ("fr", "?!"), ("ru", "w")])
def test_what_cannot_be_read_in_a_language_is_unknown(language: str, text: str) -> None:
    assert foreign_words(text, language) is None


def test_signs_that_are_unknown_are_left_out() -> None:
    assert english_sounds("kˈɔ̃t") == "K OW N T"
    assert english_sounds("tʃˈaːo¡") == "CH AA OW"
    assert english_sounds("¡") == ""
