"""The whole site from 32 nights with an outage, a regression and a price change."""

from __future__ import annotations

import math
import re
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote
from xml.etree import ElementTree as ET

import pandas as pd
import pyarrow.parquet as pq
import pytest
import yaml

from bench.errors import BenchError
from bench.site.build import build
from bench.site.collect import collect
from bench.site.config import ConversationConfig, SiteConfig, load_config
from bench.site.digest import RunDigest, Seen
from bench.site.history import History, read_history
from bench.site.pages import pages, site_of, slug_of
from bench.site.recent import last_nights, recent
from bench.site.windows import series_of
from bench.store.parquet import parquet_writer, read_table
from tests.site.nights import REGRESSION, name_of, night_run
from tests.site.test_board import run as few
from tests.support.processes import ROOT

ATOM = "{http://www.w3.org/2005/Atom}"


@pytest.fixture(scope="session")
def site(nights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("site")
    build(nights, read_history(nights), out, SiteConfig())
    return out


class Links(HTMLParser):
    """Addresses, ids and what is loaded."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.hrefs: list[str] = []
        self.ids: list[str] = []
        self.loaded: list[str] = []
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if found.get("id"):
            self.ids.append(str(found["id"]))
        if tag in {"script", "img", "iframe"}:
            self.loaded += [str(found["src"])] if found.get("src") else []
        if tag == "link":
            self.loaded.append(str(found["href"]))
        elif found.get("href"):
            self.hrefs.append(str(found["href"]))


def test_every_link_leads_somewhere_and_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    pages = {page: Links(page) for page in site.rglob("*.html")}
    assert len(pages) == 5 + 3 + 32
    for page, links in pages.items():
        assert len(set(links.ids)) == len(links.ids), f"{page}: an id stands twice"
        assert not [each for each in links.loaded if "//" in each]
        for href in links.hrefs:
            path, _, anchor = href.partition("#")
            there = (page.parent / unquote(path)).resolve() if path else page
            assert there.exists(), f"{page}: {href}"
            if anchor and there in pages:
                assert anchor in pages[there].ids, f"{page}: {href}"


def text_of(page: Path) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", page.read_text(encoding="utf-8")))


def test_the_outage_shows_in_the_availability(site: Path) -> None:
    card = text_of(site / "targets" / "aria.html")
    assert re.search(r"Availability: good calls.*?Away on 2026-11-06", card)
    assert "1 / 32 runs" in card
    assert "Away: 0 of 11 calls were good" in text_of(site / "runs" / "20261106T020000Z-nightly.html")


def test_the_regression_shows_in_its_verdict(site: Path) -> None:
    said = text_of(site / "runs" / "20261113T020000Z-nightly.html")
    assert re.search(r"brio ▼ regression Median first audible [\d,]+ ms, \d+ % slower than the last seven nights", said)
    assert "regression" in text_of(site / "targets" / "brio.html")


def test_the_price_change_shows_in_the_step_line(site: Path) -> None:
    card = text_of(site / "targets" / "cello.html")
    assert "$0.2768 on 2026-09-01; $0.1693 on 2026-11-03. Last read on 2026-11-03" in card
    assert "Prices were last checked on 2026-11-03" in card
    page = (site / "targets" / "cello.html").read_text(encoding="utf-8")
    assert re.search(r'<path class="line first" d="M[\d. ]+H[\d.]+V[\d.]+"/>', page), "level, then straight up or down"


def test_ties_are_shown_as_ties(site: Path) -> None:
    board = text_of(site / "leaderboard.html")
    assert re.search(r"1 aria .*2 tied (brio|cello) .*2 tied (brio|cello) ", board)


def test_strengths_have_their_rule_and_numbers(site: Path) -> None:
    card = text_of(site / "targets" / "aria.html")
    assert re.search(
        r"strength Answers sooner than the others: median \d+ ms against .*? Rule: Median over the last", card
    )
    assert re.search(r"weakness Understands scottish callers worse: WER .*? Rule: WER of an accent", card)


def test_what_nobody_measured_says_so(site: Path) -> None:
    assert "No measurements yet: no run has asked questions" in text_of(site / "intelligence.html")


def test_the_methodology_has_every_definition(site: Path) -> None:
    from bench.measure.metrics import METRICS

    page = Links(site / "methodology.html")
    assert {f"def-{name}" for name in METRICS} <= set(page.ids)


def test_the_feed_is_atom_with_lasting_ids(site: Path) -> None:
    root = ET.parse(site / "feed.xml").getroot()
    entries = root.findall(f"{ATOM}entry")
    assert len(entries) == 96
    assert len({entry.findtext(f"{ATOM}id") for entry in entries}) == 96
    newest = entries[0]
    assert newest.findtext(f"{ATOM}updated") == "2026-11-20T02:04:00Z"
    assert root.findtext(f"{ATOM}updated") == max(str(entry.findtext(f"{ATOM}updated")) for entry in entries)
    assert (site / str(newest.find(f"{ATOM}link").get("href")).partition("#")[0]).exists()  # type: ignore[union-attr]


def test_a_second_build_keeps_what_is_the_same_and_forgets_runs_that_are_gone(tmp_path: Path) -> None:
    reports, out = tmp_path / "reports", tmp_path / "site"
    for night in range(4):
        night_run(reports, night, calls=12)
    build(reports, read_history(reports), out, SiteConfig(), copy=True)
    assert (out / "stored" / "20261020T020000Z-nightly" / "turns.parquet").exists()
    before = {page: page.stat().st_mtime_ns for page in out.rglob("*.html")}
    (out / "notes.html").write_text("mine")
    build(reports, read_history(reports), out, SiteConfig(), copy=True)
    assert {page: page.stat().st_mtime_ns for page in before} == before
    history = read_history(reports)
    built = build(reports, History(runs=history.runs[1:]), out, SiteConfig(), copy=True)
    assert (built.runs, built.targets) == (3, 3)
    assert len(list((out / "runs").glob("*.html"))) == 3
    assert len(list((out / "stored").iterdir())) == 3
    assert (out / "notes.html").exists()


def test_the_site_is_not_written_over_the_runs(nights: Path) -> None:
    with pytest.raises(BenchError, match="folder of the runs"):
        build(nights, History(), nights, SiteConfig())


def test_settings_are_checked_with_their_lines(tmp_path: Path) -> None:
    path = tmp_path / "site.yaml"
    path.write_text("title: Ours\nconversation: {exchanges: 4, agent_s: 10}\n")
    assert load_config(path).conversation.minutes == pytest.approx((0.5 + 4 * 14.5) / 60)
    path.write_text("title: Ours\nconversation:\n  exchange: 4\n")
    with pytest.raises(BenchError, match=r"site.yaml:3.*exchange"):
        load_config(path)


def test_the_settings_of_the_docs_are_the_defaults() -> None:
    page = (ROOT / "docs" / "site.md").read_text(encoding="utf-8")
    example = yaml.safe_load(re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)[0])
    assert set(example) == set(SiteConfig.model_fields)
    assert ConversationConfig(**example["conversation"]) == ConversationConfig()
    assert set(example["conversation"]) == set(ConversationConfig.model_fields)


def test_a_run_of_an_older_version_with_fewer_columns_is_read(tmp_path: Path) -> None:
    run = night_run(tmp_path, 0, calls=12)
    table = read_table(run.folder.turns_parquet)
    old = table.drop_columns(["condition", "caption_final_ms", "expect_pass"])
    with parquet_writer(run.folder.turns_parquet, old.schema) as writer:
        writer.write_table(old)
    built = build(tmp_path, read_history(tmp_path), tmp_path / "site", SiteConfig())
    assert (built.runs, built.unread) == (1, {})


def test_word_error_rates_over_nights_are_those_of_all_their_rows_together(nights: Path) -> None:
    every = series_of(collect(read_history(nights)).runs)
    for series in every:
        last = last_nights(series)
        tables = [pq.read_table(nights / night.run.folder / "turns.parquet").to_pandas() for night in last]
        rows = pd.concat([table[(table.target == series.key[0]) & ~table.warmup] for table in tables])
        rows = rows[rows.hits.notna() & ~rows.client_late]
        errors = rows[["substitutions", "deletions", "insertions"]].to_numpy().sum()
        words = rows[["hits", "substitutions", "deletions"]].to_numpy().sum()
        assert recent(series, "wer").value == pytest.approx(errors / words)


def test_an_accent_has_one_word_error_rate_on_its_card(site: Path) -> None:
    said = text_of(site / "targets" / "aria.html")
    remark = re.search(r"Understands scottish callers worse: WER ([\d.]+ %)", said)
    table = re.search(r"newest run words (?:\w+ [\d.]+ % .*?)?scottish ([\d.]+ %)", said)
    assert remark
    assert table
    assert remark[1] == table[1]


def written(runs: list[RunDigest]) -> dict[str, str]:
    """The text of each page of a site of these runs."""
    site = site_of(SiteConfig(), runs, {}, "../reports")
    return {name: re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", text)) for name, text in pages(site)}


def test_a_target_that_is_not_tested_any_more_is_said_to_be() -> None:
    both = [run for night in range(6) for run in few(night, {"stays": 800 + 3 * night, "leaves": 810 - 3 * night})]
    alone = [run for night in range(6, 10) for run in few(night, {"stays": 805 + night})]
    found = written([*both, *alone])
    said = "Not tested since 2026-10-25 , 4 days before the newest run of its scenario."
    assert said in found["targets/leaves.html"]
    assert "Not tested since" not in found["targets/stays.html"]
    assert found["index.html"].count("Not tested since") == 1
    assert found["leaderboard.html"].count("not tested since 2026-10-25") == 1


def test_runs_of_their_own_on_one_night_leave_no_target_behind() -> None:
    runs = []
    for night in range(4):
        first, second = few(night, {"early": 800.0 + night, "late": 820.0 - night}, together=False)
        runs += [first, second.model_copy(update={"started_at": first.started_at + timedelta(hours=3)})]
    assert not any("ot tested since" in text for text in written(runs).values())


def test_a_target_of_which_nothing_was_measured_has_no_figures() -> None:
    (run,) = few(0, {"aria": 800.0})
    found = written([run.model_copy(update={"verdict": "invalid", "reasons": ["the generator was overloaded"]})])
    for name in ("index.html", "targets/aria.html", "leaderboard.html", "speed.html", "intelligence.html"):
        assert "o measurements yet" in found[name], name
        assert "0 / 0" not in found[name]
        assert "last 0 runs" not in found[name]


@pytest.mark.parametrize("url", ["ftp://voice.example", "voice.example.com", "javascript:alert(1)"])
def test_an_address_of_the_site_is_one_of_the_web(tmp_path: Path, url: str) -> None:
    (tmp_path / "site.yaml").write_text(f"url: {url}\n")
    with pytest.raises(BenchError, match=r"begins with https://"):
        load_config(tmp_path / "site.yaml")


def test_the_overview_says_who_is_the_fastest_and_runs_lead_to_their_neighbours(site: Path) -> None:
    said = text_of(site / "index.html")
    assert re.search(r"nightly: aria is surely the fastest, with a median first audible of \d+ ms \(\d+\.\.\d+\)", said)
    names = [name_of(night) for night in range(32)]
    first, second, last = (Links(site / "runs" / f"{slug_of(names[place])}.html").hrefs for place in (0, 1, -1))
    assert f"../runs/{slug_of(names[1])}.html" in first
    assert {f"../runs/{slug_of(names[place])}.html" for place in (0, 2)} <= set(second)
    assert f"../runs/{slug_of(names[-2])}.html" in last


def test_one_night_ranks_nobody(tmp_path: Path) -> None:
    night_run(tmp_path / "reports", REGRESSION, calls=30)
    build(tmp_path / "reports", read_history(tmp_path / "reports"), tmp_path / "site", SiteConfig())
    overview, board = (text_of(tmp_path / "site" / name) for name in ("index.html", "leaderboard.html"))
    assert "who is the fastest cannot be said yet" in overview
    assert board.count("3 runs needed") == 3


def test_a_percentile_among_lost_turns_has_no_size_and_a_reason(tmp_path: Path) -> None:
    digests = few(0, {"a": 800, "b": 900})
    digests[0].targets[0].figures["first_audible_ms: p95"] = Seen(
        metric="first_audible_ms",
        title="first audible",
        fold="p95",
        unit="ms",
        value=math.inf,
        low=1758,
        high=math.inf,
        n=24,
    )
    made = dict(pages(site_of(SiteConfig(), digests, {}, "../reports")))
    texts = {
        name: re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", made[name])) for name in ("index.html", "targets/a.html")
    }
    assert "p95 - over 5 % of turns unanswered" in texts["index.html"]
    assert "over 5 % of turns unanswered (95 %: 1,758..∞) · n=24" in texts["targets/a.html"]
    assert "over 5 % of turns unanswered in 1 of 1 run" in made["leaderboard.html"]
