"""One espeak-ng for all that use it in a process: it speaks, reads, and speaks again."""

from __future__ import annotations

from bench.audio.espeak import espeak
from bench.audio.foreign_words import foreign_words
from bench.server.engines.synthesiser import Synthesiser


def test_speaking_and_reading_share_one_library() -> None:
    synthesiser = Synthesiser()
    for text, language in (("Qual è il saldo?", "it"), ("Hasta mañana.", "es"), ("My code is 45.", "en")):
        for _ in range(3):
            assert len(synthesiser.say("Hello there, how are you?", voice="ash", speed=1.2)) > synthesiser.rate_hz // 2
        assert foreign_words(text, language)
    assert len(Synthesiser().say("Good bye.", voice="alloy", speed=1.0)) > 0
    assert espeak() is espeak()
