"""A secret is found in every form in which an echo may write it, and harmless text is left alone."""

from __future__ import annotations

import base64
import html
import json
import string
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bench.config.redactor import Redactor, printable

KEY = "Zq-proj/Ab+cd\"EF_ghij=0123456789&klm'nop"


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


FORMS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "upper": str.upper,
    "lower": str.lower,
    "quoted": lambda key: quote(key, safe=""),
    "quoted as a path": quote,
    "quoted as a form": quote_plus,
    "every character quoted": lambda key: "".join(f"%{byte:02X}" for byte in key.encode()),
    "quoted twice": lambda key: quote(quote(key, safe=""), safe=""),
    "JSON": json.dumps,
    "JSON in JSON": lambda key: json.dumps(json.dumps(key)),
    "JSON, every character": lambda key: "".join(f"\\u{ord(letter):04x}" for letter in key),
    "quoted in JSON": lambda key: json.dumps({"key": quote(key, safe="")}),
    "slashes escaped": lambda key: json.dumps(key).replace("/", "\\/"),
    "Python": repr,
    "Python bytes": lambda key: repr(key.encode()),
    "HTML": html.escape,
    "HTML numbers": lambda key: "".join(f"&#{ord(letter)};" for letter in key),
    "base64": b64,
    "base64 for URLs": lambda key: base64.urlsafe_b64encode(key.encode()).decode(),
    "Basic": lambda key: b64(f":{key}"),
    "Basic with a user": lambda key: b64(f"al:{key}"),
    "Basic with another": lambda key: b64(f"ali:{key}"),
    "base64 of a header": lambda key: b64(f"Authorization: Bearer {key}\r\n"),
    "hex": lambda key: key.encode().hex(),
    "HEX": lambda key: key.encode().hex().upper(),
    "folded": lambda key: f"{key[:9]}\r\n\t{key[9:]}",
    "folded and escaped": lambda key: f"{key[:9]}\\r\\n {key[9:]}",
    "folded, in JSON in JSON": lambda key: json.dumps(json.dumps(f"{key[:9]}\r\n\t{key[9:]}")),
    "base64 in lines": lambda key: base64.encodebytes(f"a long user name, of a proxy:{key}".encode()).decode(),
    "with a NUL": lambda key: f"{key[:9]}\0{key[9:]}",
    "with no width": lambda key: f"{key[:9]}\u200b{key[9:]}",
    "cut short": lambda key: key[:10],
    "cut short in a sentence": lambda key: f"{key[:12]}, not as asked",
    "cut short with a mark": lambda key: f"{key[:10]}\u20264711",
}
MARKS = ("proj", "ghij", "56789", "nop", "UHJva", "Z2hpa", "676869", "%67%68")


def shows(text: str, key: str = KEY) -> bool:
    """Whether a good part of the key can be read in `text`, by the naked eye."""
    lowered = text.lower()
    return any(key[at : at + 8].lower() in lowered for at in range(len(key) - 8)) or any(
        mark.lower() in lowered for mark in MARKS
    )


@pytest.mark.parametrize("form", FORMS)
def test_a_form_of_a_key(form: str) -> None:
    echo = "refused: " + FORMS[form](KEY)
    clean = Redactor([KEY]).clean(echo)
    assert clean.startswith("refused: ")
    assert "***" in clean
    assert not shows(clean)


secrets = st.text(st.sampled_from(string.ascii_letters + string.digits + "-_.~+/=:@!$&'()*,;\"<>^` "), min_size=12)


@settings(max_examples=150, deadline=None)
@example("000000000 00", "folded and escaped")
@given(secrets.map(str.strip).filter(lambda key: len(key) >= 12), st.sampled_from(sorted(FORMS)))
def test_any_secret_in_any_form(secret: str, form: str) -> None:
    clean = Redactor([secret]).clean(f"<{FORMS[form](secret)}>")
    assert secret.lower() not in clean.lower() or set(secret) <= {"*"}
    assert FORMS[form](secret) not in clean or form == "cut short" or set(secret) <= {"*"}


@settings(max_examples=100, deadline=None)
@given(st.text(st.characters(categories=["L", "N", "P", "S", "Zs"])))
def test_other_text_is_not_changed(text: str) -> None:
    assert Redactor([KEY]).clean(text) == text


@pytest.mark.parametrize(
    "text",
    ["100 % of a & b", "C:\\new\\table", "&amp; stays &amp;", "a\nb\tc", "%20", "Zq-proj is the prefix of keys"],
)
def test_escapes_without_a_secret_stay(text: str) -> None:
    assert Redactor([KEY]).clean(text) == text


def test_what_is_known_of_a_request() -> None:
    redactor = Redactor.of_request(
        "wss://ann:passw%2Frd@h/?sig=abcdefgh&model=gpt",
        {"Authorization": "Bearer sk-12345678", "Cookie": "sid=cafebabe; theme=dark", "X-Team": "voices"},
        ("realtime", "openai-insecure-api-key.ek-1234"),
        ["behind-a-neutral-name"],
    )
    echo = "passw/rd passw%2Frd abcdefgh sk-12345678 cafebabe ek-1234 behind-a-neutral-name"
    assert set(redactor.clean(echo).split()) == {"***"}
    assert redactor.clean(b64("ann:passw/rd")) == "***"
    assert redactor.clean("gpt voices realtime dark ann") == "gpt voices realtime dark ann"


def test_a_short_word_is_no_secret() -> None:
    assert Redactor(["test", ""]).clean("a test") == "a test"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred\x07\x00", "\ufffd[31mred\ufffd\ufffd"),
        ("\x9b31m \x7f", "\ufffd31m \ufffd"),
        ("safe\u202egnp.exe\u2066", "safe\ufffdgnp.exe\ufffd"),
        ("half \ud83d of a pair", "half \ufffd of a pair"),
        ("one\r\ntwo\rthree\tfour\n", "one\ntwo\nthree\tfour\n"),
        (
            "שלום\u200f gr\u00fc\u00dfe \U0001f44d\u200d\U0001f44d",
            "שלום\u200f gr\u00fc\u00dfe \U0001f44d\u200d\U0001f44d",
        ),
    ],
)
def test_what_is_printable(text: str, shown: str) -> None:
    assert printable(text) == shown
    assert Redactor().clean(text) == shown
