"""One reader for every YAML file that people write: the same mistake gets the same sentence in each of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bench.audio.catalogue import load_catalogue
from bench.config.problems import ConfigError, load_block
from bench.pricing.book import PriceBook, load_book
from bench.scenario.read import load_scenario
from bench.server.engines.simulated.profile import load_profile

READERS: dict[str, Callable[[Path], object]] = {
    "name": load_scenario,
    "fixtures": load_catalogue,
    "vendor": load_book,
    "model": load_profile,
}
"""By a key that each file may have."""

MISTAKES = [
    (b"KEY: a\nKEY: b\n", "2: KEY: found twice, first in line 1; allowed: once"),
    (b"KEYx: a\n", "1: KEYx: unknown key; allowed: "),
    (b"- KEY\n", "1: found a list or a single value; allowed: a mapping with at least "),
    (b"KEY: a\n\tb: c\n", "2:1: not valid YAML: a tab; allowed: spaces for indentation"),
    (b"KEY: \x07\n", "not valid YAML: the character #x0007 is not text"),
    (b"KEY: !x a\n", "1: KEY: found the tag !x or a number out of range; allowed: plain values"),
    (b"x-a: &x [KEY, a]\n<<: *x\n", "1: <<: found no mapping; allowed: <<: *name, or a list of such"),
    (b"KEY: \xff\n", "not a UTF-8 text (byte "),
    (None, "no such file; did you mean '"),
]


@pytest.mark.parametrize(("content", "sentence"), MISTAKES)
@pytest.mark.parametrize("key", READERS)
def test_the_same_mistake_gets_the_same_sentence(
    key: str, content: bytes | None, sentence: str, tmp_path: Path
) -> None:
    path = tmp_path / "file.yaml"
    (tmp_path / "files.yaml").touch()
    if content is not None:
        path.write_bytes(content.replace(b"KEY", key.encode()))
    with pytest.raises(ConfigError) as caught:
        READERS[key](path)
    assert caught.value.exit_code == 2
    wanted = sentence.replace("KEY", key)
    assert any(str(found).startswith(str(path)) and wanted in str(found) for found in caught.value.problems)


def test_all_problems_come_in_the_order_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "book.yaml"
    path.write_text("book: ''\ndate: soon\nmodel: {}\nmodels: {m: {source: s, note: [5]}}\n", encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_block(path, PriceBook, needs="book", hint="see there")
    assert caught.value.hint == "see there"
    assert caught.value.message.splitlines() == [
        f"5 problems in {path}",
        f"{path}:1: book: found ''; allowed: a text that is not empty",
        f"{path}:2: date: found 'soon'; allowed: a day such as 2026-11-22",
        f"{path}:3: model: unknown key; allowed: book, date, currency, vendor, label, models, transcription, speech; "
        "did you mean 'models'?",
        f"{path}:4: models.m.source_date: required, but missing; When they were read (for example 2026-11-22)",
        f"{path}:4: models.m.note: found a list; allowed: a text",
    ]
