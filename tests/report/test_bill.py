"""The bill against figures that were worked out by hand: by meter, by unit, by turn, at several dates and models."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from typer.testing import CliRunner

from bench.cli import app
from bench.pricing.book import load_book
from bench.report.bill_history import history
from bench.report.bill_plots import price_history
from bench.report.bill_section import cost_section, history_tables
from bench.report.bill_usage import usage_of
from bench.report.html import render_html
from bench.report.markdown import render_markdown
from bench.report.render import write_reports
from bench.report.reprice import reprice
from bench.report.summary import summarise
from bench.report.terminal import render_terminal
from bench.store.reader import read_run
from tests.report import bills

# Of the whole run, in thousands of tokens: text 260 fresh, 200 cached, 70 out; audio 240 fresh, 80 cached, 140 out.
# The price of each is what stands in the book, in USD per million.
BY_HAND: list[tuple[str, str, float | None]] = [
    # .26 x 5 + .20 x 2.5 + .07 x 20 + .24 x 100 + .08 x 20 + .14 x 200 = 1.30 + .50 + 1.40 + 24.00 + 1.60 + 28.00
    ("openai-2025-08", "gpt-4o-realtime-preview-2024-10-01", 56.80),
    # 1.30 + .50 + 1.40 + .24 x 40 + .08 x 2.5 + .14 x 80 = 3.20 + 9.60 + .20 + 11.20
    ("openai-2025-08", "gpt-4o-realtime-preview", 24.20),
    # .26 x 4 + .20 x .4 + .07 x 16 + .24 x 32 + .08 x .4 + .14 x 64 = 1.04 + .08 + 1.12 + 7.68 + .032 + 8.96
    ("openai-2025-08", "gpt-realtime", 18.912),
    ("openai-2025-08", "gpt-realtime-2.1", None),  # nobody could read its price yet
    ("openai-2026-11", "gpt-4o-realtime-preview-2024-10-01", 56.80),
    ("openai-2026-11", "gpt-4o-realtime-preview", 24.20),
    ("openai-2026-11", "gpt-realtime", 18.912),
    # 1.04 + .08 + .07 x 24 + 7.68 + .032 + 8.96
    ("openai-2026-11", "gpt-realtime-2.1", 19.472),
    # A contract whose prices changed. Spring: text 3 / 1 / 12, audio 20 / 2 / 50.
    # .78 + .20 + .84 + 4.80 + .16 + 7.00
    ("contract-2026-03", "large", 13.78),
    # text .5 / - / 2, audio 8 / .2 / 16: the cached text has no price
    ("contract-2026-03", "small", None),
    # four minutes of calls at .06
    ("contract-2026-03", "minutes", 0.24),
    # every token at 1: 990,000 of them
    ("contract-2026-03", "flat", 0.99),
    # Autumn: text 2.5 / .5 / 10, audio 16 / .8 / 40: .65 + .10 + .70 + 3.84 + .064 + 5.60
    ("contract-2026-10", "large", 10.954),
    # text .5 / .05 / 2, audio 8 / .2 / 16: .13 + .01 + .14 + 1.92 + .016 + 2.24
    ("contract-2026-10", "small", 4.456),
    ("contract-2026-10", "minutes", 0.20),
    ("contract-2026-10", "flat", 1.98),
]

DATES = {
    "openai-2025-08": "2025-08-28",
    "openai-2026-11": "2026-11-22",
    "contract-2026-03": "2026-03-01",
    "contract-2026-10": "2026-10-01",
}

CONTRACT = """
book: {name}
date: {date}
models:
  large:
    tokens_usd_per_million:
      text: {large_text}
      audio: {large_audio}
    source: test
    source_date: {date}
  small:
    tokens_usd_per_million:
      text: {small_text}
      audio: {{input: 8, cached: 0.2, output: 16}}
    source: test
    source_date: {date}
  minutes: {{session_usd_per_minute: {minutes}, source: test, source_date: {date}}}
  flat:
    tokens_usd_per_million:
      text: {{input: {flat}, cached: {flat}, output: {flat}}}
      audio: {{input: {flat}, cached: {flat}, output: {flat}}}
    source: test
    source_date: {date}
"""
SPRING = CONTRACT.format(
    name="contract-2026-03",
    date="2026-03-01",
    large_text="{input: 3, cached: 1, output: 12}",
    large_audio="{input: 20, cached: 2, output: 50}",
    small_text="{input: 0.5, output: 2}",
    minutes="0.06",
    flat="1",
)
AUTUMN = CONTRACT.format(
    name="contract-2026-10",
    date="2026-10-01",
    large_text="{input: 2.5, cached: 0.5, output: 10}",
    large_audio="{input: 16, cached: 0.8, output: 40}",
    small_text="{input: 0.5, cached: 0.05, output: 2}",
    minutes="0.05",
    flat="2",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("bill")
    bills.stored(root / "run")
    (root / "contract-2026-03.yaml").write_text(SPRING)
    (root / "contract-2026-10.yaml").write_text(AUTUMN)
    return root


def shelf(folder: Path, book: str) -> str:
    return str(folder / f"{book}.yaml") if book.startswith("contract") else book


@pytest.mark.parametrize(("book", "model", "usd"), BY_HAND)
def test_a_stored_run_costs_what_was_worked_out_by_hand(folder: Path, book: str, model: str, usd: float | None) -> None:
    again = reprice(read_run(folder / "run"), shelf(folder, book), model)
    summary = summarise(again.run, again)
    if usd is None:
        assert summary.cost.at_least or summary.cost.total_usd is None
        assert all(unit.usd is None for unit in summary.bill.units)
        return
    assert summary.cost.total_usd == pytest.approx(usd, abs=1e-9)
    assert not summary.cost.at_least
    assert sum(meter.usd or 0.0 for meter in summary.bill.meters) == pytest.approx(usd, abs=1e-9)
    assert summary.cost.books == [f"{book} of {DATES[book]}"]
    units = {unit.name: unit.usd for unit in summary.bill.units}
    assert units["call"] == pytest.approx(usd / 2)
    assert units["1000_calls"] == pytest.approx(usd * 500)
    # Two calls of 122 s, the wait for the connection included.
    assert units["talk_minute"] == pytest.approx(usd / (2 * 122 / 60))
    assert units["turn"] == (None if model == "minutes" else pytest.approx(usd / 4))


def test_meters_rates_and_what_the_cache_saved(folder: Path) -> None:
    again = reprice(read_run(folder / "run"), "openai-2026-11")
    bill = summarise(again.run, again).bill
    assert [(each.name, each.quantity, each.rate_usd, round(each.usd or 0, 9)) for each in bill.meters] == [
        ("text input", 260_000, 4.0, 1.04),
        ("audio input", 240_000, 32.0, 7.68),
        ("cached text input", 200_000, 0.4, 0.08),
        ("cached audio input", 80_000, 0.4, 0.032),
        ("text output", 70_000, 16.0, 1.12),
        ("audio output", 140_000, 64.0, 8.96),
    ]
    assert bill.cache is not None
    # 200,000 x 4 + 80,000 x 32 = .80 + 2.56, for which .112 was paid
    assert (bill.cache.input_tokens, bill.cache.cached_tokens) == (780_000, 280_000)
    assert bill.cache.fresh_usd == pytest.approx(3.36)
    assert bill.cache.saved_usd == pytest.approx(3.248)
    assert [(row.turn, row.n, row.input_tokens, row.cached_tokens) for row in bill.growth] == [
        (1, 2, 150_000, None),
        (2, 2, 240_000, 140_000),
    ]
    # .4 + 1.6 + .32 + 2.56 and .12 + 2.24 + .04 + .016 + .24 + 1.92
    assert [row.usd for row in bill.growth] == [pytest.approx(4.88), pytest.approx(4.576)]


def test_the_history_is_a_step_line_over_the_dated_books(folder: Path) -> None:
    again = reprice(read_run(folder / "run"), "openai-2026-11", "gpt-4o-realtime-preview")
    lines = {line.model: line for line in summarise(again.run, again).bill.history}
    assert set(lines) == {"gpt-4o-realtime-preview", "gpt-realtime-2.1"}, "the model and its successor"
    dates = [point.date for point in lines["gpt-realtime-2.1"].points]
    assert dates == ["2026-08-06", "2026-09-30", "2026-11-22"]
    assert {round(point.usd or 0, 9) for point in lines["gpt-4o-realtime-preview"].points} == {24.20}
    assert len(lines["gpt-4o-realtime-preview"].points) == 7
    plot = price_history(list(lines.values()))
    assert plot is not None
    for line in plot.lines:
        assert set(line.path) <= set("MHV0123456789. "), "level, then straight up or down"
        assert line.path.endswith(f"H{plot.right}")
        assert line.path.count("V") == len(line.points) - 1


def test_a_price_that_changes_is_told_with_its_date_and_its_change(folder: Path) -> None:
    books = [load_book(folder / f"{name}.yaml") for name in ("contract-2026-03", "contract-2026-10")]
    usage = usage_of(read_run(folder / "run"))
    (table,) = history_tables([history("large", usage, books), history("small", usage, books)])
    said = [(row.title, *(cell.value for cell in row.cells)) for row in table.rows]
    assert said == [
        ("large, 2026-03-01", "$13.78", "", "contract-2026-03"),
        ("large, 2026-10-01", "$10.95", "-20.5 %", "contract-2026-10"),
        ("small, 2026-03-01", "-", "", "contract-2026-03: cached text input (no price for cached text tokens)"),
        ("small, 2026-10-01", "$4.456", "", "contract-2026-10"),
    ]


def test_a_report_at_other_prices_leaves_the_run_as_it_is_and_names_both_books(folder: Path) -> None:
    run = folder / "run"
    write_reports(read_run(run))
    before = {path.name: path.read_bytes() for path in run.iterdir() if path.is_file()}
    result = CliRunner().invoke(
        app, ["report", str(run), "--prices", shelf(folder, "contract-2026-10"), "--price-as", "large"]
    )
    assert result.exit_code == 0, result.output
    assert "$10.95" in result.output
    assert "the run itself was priced with no price book" in result.output
    assert "Prices: contract-2026-10 of 2026-10-01" in result.output
    assert {path.name: path.read_bytes() for path in run.iterdir() if path.is_file()} == before
    beside = run / "prices-contract-2026-10-as-large"
    assert json.loads((beside / "summary.json").read_text())["bill"]["priced_again"] == "no price book"
    rows = pd.read_csv(beside / "turns.csv", encoding="utf-8-sig")
    assert rows["cost_usd"].sum() == pytest.approx(10.954)
    assert rows["cost_unknown"].isna().all()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--prices", "openai-2026-11", "--recompute"], "with --recompute use --book"),
        (["--price-as", "gpt-realtime"], "--prices BOOK"),
        (["--prices", "openai-1999-01"], "openai-2026-11"),
    ],
)
def test_what_does_not_go_together_is_refused(folder: Path, arguments: list[str], said: str) -> None:
    result = CliRunner().invoke(app, ["report", str(folder / "run"), *arguments])
    error: Any = result.exception
    assert said in f"{error.message} {error.hint}"


def test_every_report_has_the_bill(folder: Path) -> None:
    again = reprice(read_run(folder / "run"), "openai-2026-11")
    summary = summarise(again.run, again)
    page, markdown, terminal = render_html(summary), render_markdown(summary), render_terminal(summary)
    for said in ("Cached audio input", "80,000 tokens", "$0.40 per 1M", "saved $3.248", "Turn 2", "2025-08-28"):
        assert said in page
        assert said in markdown
        assert said in terminal
    assert 'id="price-history-title"' in page
    assert "bill" in json.loads(summary.model_dump_json())


def test_meters_that_do_not_add_up_to_the_stored_cost_are_not_shown(tmp_path: Path) -> None:
    run = bills.stored(tmp_path / "run")
    run.turns["cost_usd"], run.turns["cost_unknown"] = 1.0, None
    summary = summarise(run)
    assert summary.bill.meters == []
    titles = [row.title for row in cost_section(summary).tables[0].rows]
    assert "  Input, not cached" in titles
