"""Conditions by accents: each field is what its own turns say, and the strongest colour is the highest value's."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.report.findings import Summary
from bench.report.groups_section import groups_section
from bench.report.html import render_html
from bench.report.summary import summarise
from tests.report import build


def of(folder: Path, conditions: tuple[str, ...], accents: tuple[str, ...]) -> Summary:
    turns, sessions = build.rows(calls=48, fails=0.0, warm=0)
    for number, row in enumerate(turns):
        row.condition, row.accent = conditions[number % len(conditions)], accents[number // 2 % len(accents)]
        bad = row.condition == "cafe" and row.accent == "scottish"
        row.hits, row.substitutions, row.deletions, row.insertions = (6, 4, 0, 0) if bad else (10, 0, 0, 0)
        row.first_audible_ms = 1200.0 if bad else 700.0
    return summarise(build.finished(folder, turns, sessions))


@pytest.fixture(scope="module")
def summary(tmp_path_factory: pytest.TempPathFactory) -> Summary:
    return of(tmp_path_factory.mktemp("heat") / "run", ("clean", "cafe"), ("us", "scottish"))


def test_each_field_is_that_of_its_turns(summary: Summary) -> None:
    words, waits = summary.heat_maps
    found = {
        (row, column): (word.figure.value, wait.figure.value)
        for row, word_fields, wait_fields in zip(words.rows, words.fields, waits.fields, strict=True)
        for column, word, wait in zip(words.columns, word_fields, wait_fields, strict=True)
    }
    assert found[("cafe", "scottish")] == pytest.approx((0.4, 1200.0))
    assert {value for place, value in found.items() if place != ("cafe", "scottish")} == {(0.0, 700.0)}
    assert sum(field.turns for fields in words.fields for field in fields) == summary.turns.measured


def test_the_highest_has_the_strongest_colour_and_says_how_many(summary: Summary) -> None:
    table = next(each for each in groups_section(summary).tables if each.title.startswith("WER, condition by accent"))
    heats = {row.title: [cell.heat for cell in row.cells] for row in table.rows}
    assert heats == {"clean": [0, 0], "cafe": [0, 100]}
    assert all("n=" in cell.under for row in table.rows for cell in row.cells)
    assert 'class="heat"' in render_html(summary)


@pytest.mark.parametrize("conditions, accents", [(("clean",), ("us", "scottish")), (("clean", "cafe"), ("us",))])
def test_one_of_either_is_no_map(tmp_path: Path, conditions: tuple[str, ...], accents: tuple[str, ...]) -> None:
    assert of(tmp_path / "run", conditions, accents).heat_maps == []
