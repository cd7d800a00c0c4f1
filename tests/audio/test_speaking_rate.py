"""Syllables a second, in many scripts: natural speech lies between 2 and 9 everywhere."""

from __future__ import annotations

import pytest

from bench.audio.speaking_rate import syllables_per_s


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("What is the balance of my checking account?", 2.4),
        ("Die Donaudampfschifffahrtsgesellschaft ist heute geschlossen.", 3.6),
        ("我想查询我的账户余额。", 2.2),
        ("私の口座の残高を教えてください。", 2.8),
        ("내 계좌 잔액을 알려 주세요.", 2.0),
        ("ฉันอยากทราบยอดเงินในบัญชี", 2.4),
        ("أريد أن أعرف رصيد حسابي", 2.2),
        ("Je voudrais connaître le solde de mon compte.", 2.5),
        ("My number is 555-2178.", 3.0),
        ("Хочу узнать баланс моего счёта.", 2.4),
    ],
)
def test_natural_speech_is_natural_in_every_script(text: str, seconds: float) -> None:
    rate = syllables_per_s(text, seconds * 1000)
    assert rate is not None
    assert 2.0 <= rate <= 9.0
    cut = syllables_per_s(text, 185)
    assert cut is not None
    assert cut > 12.0


def test_nothing_to_count_is_no_rate() -> None:
    assert syllables_per_s("", 500) is None
    assert syllables_per_s("... !", 500) is None
    assert syllables_per_s("yes", 0) is None
