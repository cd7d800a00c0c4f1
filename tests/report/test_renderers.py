"""What is printed: the same numbers everywhere, nothing that outside text can break, nothing fetched from elsewhere."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest

from bench.report.findings import Summary
from bench.report.html import render_html
from bench.report.junit import render_junit
from bench.report.markdown import escape, render_markdown
from bench.report.phrases import number, percent, plain, seconds, usd
from bench.report.summary import summarise
from bench.report.terminal import render_terminal
from tests.report import build

EVIL = '<script>alert(1)</script>|`x`\x1b[31m\n"</td>&'
VOID = {"meta", "link", "br"}


class Page(HTMLParser):
    """Checks that tags nest, and collects what a page would fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()
        self.ids: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        values = dict(attrs)
        self.ids += [values["id"] or ""] if "id" in values else []
        self.links += [value or "" for name, value in attrs if name in {"src", "href", "xlink:href"}]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> at {self.getpos()}"


def page(text: str) -> Page:
    parser = Page()
    parser.feed(text)
    assert parser.open == []
    return parser


@pytest.fixture(scope="module")
def summaries(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Summary]:
    """Runs of every shape that a reader may meet."""
    turns, sessions = build.rows(calls=40, fails=0.06)
    evil, calls = build.rows(calls=12, fails=0.3)
    for row in evil:
        row.fixture = row.voice = row.accent = row.hypothesis = row.error_message = row.error_code = EVIL
    where = tmp_path_factory.mktemp("runs")
    runs = {
        "usual": build.finished(where / "a", turns, sessions),
        "empty": build.finished(where / "b", [], []),
        "one": build.finished(where / "c", *build.rows(calls=1, turns=1, warm=0, fails=0)),
        "failed": build.finished(where / "d", [build.fail(row, *build.FAILURES[1]) for row in turns], sessions),
        "evil": build.finished(where / "e", evil, calls, scenario_name=EVIL, notes=[EVIL], health={"x": EVIL}),
    }
    return {name: summarise(run) for name, run in runs.items()}


SHAPES = ("usual", "empty", "one", "failed", "evil")


@pytest.mark.parametrize("shape", SHAPES)
def test_page_is_whole_and_needs_nothing_else(summaries: dict[str, Summary], shape: str) -> None:
    text = render_html(summaries[shape])
    found = page(text)
    assert not found.seen & {"script", "iframe", "object", "embed", "img"}
    assert all(link.startswith("#") or link == "data:," for link in found.links)
    assert not re.search(r"url\(|@import|https?://", text)
    assert len(found.ids) == len(set(found.ids))
    targets = {link[1:] for link in found.links if link.startswith("#")}
    assert targets <= set(found.ids)
    assert "nan" not in text.lower().split()


@pytest.mark.parametrize("shape", SHAPES)
def test_markdown_tables_keep_their_columns(summaries: dict[str, Summary], shape: str) -> None:
    text = render_markdown(summaries[shape])
    width = 0
    for line in text.splitlines():
        if not line.startswith("|"):
            width = 0
            continue
        cells = len(re.findall(r"(?<!\\)\|", line))
        width = width or cells
        assert cells == width, line
    assert "<script>" not in text


@pytest.mark.parametrize("shape", SHAPES)
def test_terminal_is_plain_and_leads_with_the_verdict(summaries: dict[str, Summary], shape: str) -> None:
    summary = summaries[shape]
    text = render_terminal(summary, Path("reports/x"))
    assert summary.verdict.name.upper() in text.splitlines()[0]
    assert all(char.isprintable() or char == "\n" for char in text)
    assert all(line == line.rstrip() for line in text.splitlines())
    assert max(len(line) for line in text.splitlines() if EVIL[:8] not in line) <= 150
    assert "reports/x/report.html" in text


@pytest.mark.parametrize("shape", SHAPES)
def test_junit_parses_and_fails_exactly_when_the_verdict_does(summaries: dict[str, Summary], shape: str) -> None:
    summary = summaries[shape]
    suite = ElementTree.fromstring(render_junit(summary).encode())
    bad = len(suite.findall(".//failure")) + len(suite.findall(".//error"))
    assert bad == int(suite.get("failures", "")) + int(suite.get("errors", ""))
    missed = sum(each.ok is False for each in summary.thresholds)
    assert bad == (0 if summary.verdict.name == "pass" else 1) + missed, "the verdict, and each bound that was not kept"
    assert len(suite.findall(".//testcase[@name='threshold: error_rate <= 5% (default)']")) == 1
    assert int(suite.get("tests", "")) == len(suite.findall("testcase"))


def test_all_reports_print_the_same_numbers(summaries: dict[str, Summary]) -> None:
    summary = summaries["usual"]
    row = summary.metric("first_audible_ms")
    overall = summary.words.overall
    assert row is not None
    assert overall is not None
    wanted = [number(found.value) for found in row.percentiles]
    wanted += [percent(overall.wer), usd(summary.cost.total_usd), usd(summary.cost.per_conversation_minute_usd)]
    wanted += [f"{summary.turns.answered} of {summary.turns.measured}", number(row.percentiles[2].with_unanswered)]
    for text in (render_terminal(summary), render_markdown(summary), render_html(summary)):
        assert [value for value in wanted if value not in text] == []


def test_outside_text_is_shown_as_text(summaries: dict[str, Summary]) -> None:
    text = render_html(summaries["evil"])
    assert "<script>" not in text
    assert "\x1b" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert escape("a|b<c>*d*") == r"a\|b&lt;c&gt;\*d\*"


def test_unanswered_turns_are_infinite_on_the_page(summaries: dict[str, Summary]) -> None:
    assert "∞" in render_html(summaries["failed"])
    assert "∞" in render_terminal(summaries["failed"])
    assert "∞" not in render_terminal(summaries["one"])


def test_page_offers_both_themes_and_print(summaries: dict[str, Summary]) -> None:
    text = render_html(summaries["usual"])
    for needed in ("prefers-color-scheme: dark", "@media print", 'name="viewport"', "<caption>", "<desc", 'lang="en"'):
        assert needed in text


@pytest.mark.parametrize(
    "shown, wanted",
    [
        (number(None), "-"),
        (number(float("inf")), "∞"),
        (number(float("nan")), "-"),
        (number(-0.2), "0"),
        (number(-12.0), "-12"),
        (number(1234.56, 1), "1,234.6"),
        (percent(None), "-"),
        (percent(0.0123), "1.2 %"),
        (usd(None), "-"),
        (usd(0), "$0"),
        (usd(0.0027055), "$0.002706"),
        (usd(1234.5), "$1,234.50"),
        (seconds(None), "-"),
        (seconds(4.25), "4.2 s"),
        (seconds(126), "2 min 6 s"),
        (seconds(3900), "1 h 5 min"),
        (plain("a\x1b[31m\n b\u202e"), "a [31m b"),
    ],
)
def test_wording(shown: str, wanted: str) -> None:
    assert shown == wanted
