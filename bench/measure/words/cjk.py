"""Chinese and Japanese: numbers in characters, times, dates and decimals in one spelling.

In and out: text of one code for each character (`steps.same_characters`), digits as 0 to 9. Trap: `百` and `千` alone
are parts of other words too, so they count only before what is counted.
"""

from __future__ import annotations

import re

from bench.measure.words.steps import Step, substituted

_DIGITS = dict(zip("零一二三四五六七八九〇○两兩幺", "012345678900221", strict=True))
_UNITS = {"十": 10, "百": 100, "千": 1000}
_NUMBER = re.compile(r"[零〇○一二三四五六七八九两兩幺十百千万萬亿億0-9]+")
_COUNTED = re.compile(
    r"円|元|块|人|個|个|名|年|日|回|本|台|歳|岁|パーセント|ドル|ユーロ|キロ|メートル|グラム|美元|欧元|公里|公斤"
)
"""What follows a number, and therefore shows that a lone hundred or thousand is one."""


def table(code: str) -> str:
    """Whose units a language has."""
    return "ja" if code == "ja" else "zh"


def numbers(text: str) -> str:
    """Numbers in Chinese characters as digits: `二十五` is 25, `五五五` is 555, `百円` is 100円."""

    def read(found: re.Match[str]) -> str:
        figure = found.group()
        return number(f"一{figure}" if figure in "百千" and _COUNTED.match(text, found.end()) else figure)

    return _NUMBER.sub(read, text)


def number(text: str) -> str:
    """One number in characters as digits; other rows of characters stay as they are."""
    digits = "".join(_DIGITS.get(c, c) for c in text)
    if digits.isdecimal() or not any(c.isdecimal() or c == "十" for c in digits) or len(digits) > 32:
        return digits
    total = part = 0
    figure = ""
    for c in digits:
        if c.isdecimal():
            figure += c
        elif c in _UNITS:
            part += int(figure or 1) * _UNITS[c]
            figure = ""
        else:
            total += (part + int(figure or 0)) * (10**4 if c in "万萬" else 10**8)
            part, figure = 0, ""
    return str(total + part + int(figure or 0))


def written(code: str) -> Step:
    """Shares, times and decimals in figures as they are said: `50%`, `3:30`, `3.14`."""
    hour, minute = ("時", "分") if code == "ja" else ("点", "分")

    def time(found: re.Match[str]) -> str:
        minutes = int(found[2])
        return f"{int(found[1])}{hour}" + (f"{minutes}{minute}" if minutes else "")

    return substituted(
        (r"(?<=\d),(?=\d{3}(?!\d))", ""),
        (r"(?<![\d:])([01]?\d|2[0-4]):([0-5]\d)(?![\d:])", time),
        (r"(?<![\d.])(\d+)\.(\d+)(?![\d.])", r"\1点\2"),
        *(() if code == "ja" else ((r"(\d+(?:点\d+)?) ?%", r"百分之\1"),)),
    )


def joined(code: str) -> Step:
    """What differs still once numbers are digits: half hours, days, and the particle between groups of digits."""
    if code == "ja":
        return substituted((r"(?<=\d)時半", "時30分"), (r"(?<=\d)の(?=\d)", ""), (r"(?<=\d)(?:てん|テン)(?=\d)", "点"))
    return substituted((r"(?<=\d)[点點]半", "点30分"), (r"(?<=月)(\d+)[号號]", r"\1日"), ("點", "点"))
