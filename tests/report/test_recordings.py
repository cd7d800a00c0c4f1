"""What a report says of recordings whose end of speech is doubtful, and of servers that end a turn before it."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

from bench.report.html import render_html
from bench.report.markdown import render_markdown
from bench.report.recordings import pictures_of, recording_cautions, recordings_report
from bench.report.recordings_section import recordings_section
from bench.report.summary import summarise
from bench.report.terminal import render_terminal
from bench.report.view import view_of
from bench.store.manifest import RecordingEnd
from bench.store.reader import Run
from tests.report import build

DOUBT = "the last piece of sound, 2,812 to 2,960 ms, has no pitch"


def run_with(folder: Path, *, endpoint_ms: float | None = None, doubts: dict[str, list[str]] | None = None) -> Run:
    turns, sessions = build.rows(calls=20, fails=0.0, late=0.0)
    for turn in turns:
        if endpoint_ms is not None and turn.fixture == turns[0].fixture:
            turn.endpoint_ms = endpoint_ms
    run = build.finished(folder, turns, sessions)
    run.manifest.recording_doubts = doubts or {}
    return run


def test_a_run_on_sound_recordings_says_nothing(tmp_path: Path) -> None:
    found = recordings_report(view_of(run_with(tmp_path)))
    assert (found.doubts, found.early) == ({}, [])
    assert recording_cautions(found) == []


def test_a_doubtful_recording_makes_a_run_one_to_trust_with_care(tmp_path: Path) -> None:
    before = summarise(run_with(tmp_path / "a"))
    summary = summarise(run_with(tmp_path / "b", doubts={"yes": [DOUBT]}))
    assert before.health.trust == "yes"
    assert summary.health.trust == "with care"
    assert any(DOUBT in warning and "1 recording" in warning for warning in summary.verdict.warnings)
    assert summary.verdict.name == before.verdict.name
    assert DOUBT in render_html(summary)


def test_turns_that_ended_before_the_speech_are_named_in_numbers(tmp_path: Path) -> None:
    run = run_with(tmp_path, endpoint_ms=-443.0)
    name = str(run.turns["fixture"].iloc[0])
    summary = summarise(run)
    (early,) = summary.recordings.early
    assert (early.fixture, early.median_ms) == (name, -443.0)
    assert early.turns == early.of
    (said,) = [warning for warning in summary.verdict.warnings if "before its annotated end" in warning]
    assert f"{name} ({early.turns:,} of {early.of:,} turns, median -443 ms)" in said
    assert summary.health.trust == "with care"


def test_a_little_early_is_within_what_an_annotation_may_be_off(tmp_path: Path) -> None:
    assert summarise(run_with(tmp_path, endpoint_ms=-20.0)).recordings.early == []


ENDS = {
    "balance": RecordingEnd(end_ms=2521.2, earliest_ms=2498.4, latest_ms=2570.0, annotated="by level"),
    "yes": RecordingEnd(end_ms=812.0, earliest_ms=800.0, latest_ms=830.0),
    "reset": RecordingEnd(end_ms=3100.0, annotated="by hand"),
}


def test_how_sharp_each_end_is_stands_in_the_report_and_changes_no_verdict(tmp_path: Path) -> None:
    before = summarise(run_with(tmp_path / "a"))
    run = run_with(tmp_path / "b", doubts={"yes": [DOUBT]})
    without = summarise(run)
    run.manifest.recording_ends = ENDS
    summary = summarise(run)
    (table,) = recordings_section(summary).tables
    assert [(row.title, *(cell.value for cell in row.cells)) for row in table.rows] == [
        ("balance", "2,521", "2,498 to 2,570 ms", "up to 49 ms too long or 23 ms too short", "by level", "no doubts"),
        ("yes", "812", "800 to 830 ms", "sharp to 30 ms", "-", "1 doubt"),
        ("reset", "3,100", "by hand", "-", "by hand", "no doubts"),
    ]
    assert (summary.verdict, summary.health.trust) == (without.verdict, without.health.trust)
    run.manifest.recording_doubts = {}
    assert summarise(run).health.trust == before.health.trust == "yes"
    for said in (render_html(summary), render_terminal(summary), render_markdown(summary)):
        assert "2,498 to 2,570 ms" in said
        assert "up to 49 ms too long or 23 ms too short" in said


def test_a_run_of_an_older_version_has_no_table_of_recordings(tmp_path: Path) -> None:
    assert recordings_section(summarise(run_with(tmp_path))).tables == ()


def test_of_many_recordings_the_least_sharp_are_shown_first(tmp_path: Path) -> None:
    run = run_with(tmp_path)
    run.manifest.recording_ends = {
        f"one-{k:03d}": RecordingEnd(end_ms=900.0, earliest_ms=890.0, latest_ms=900.0 + k) for k in range(300)
    }
    summary = summarise(run)
    (table,) = recordings_section(summary).tables
    assert table.rows[0].title == "one-299"
    assert table.notes == ("100 more are sharper and not shown.",)
    said = render_terminal(summary)
    assert "the least sharp of 300" in said
    assert "one-299" in said
    assert "one-200" not in said


def test_pictures_of_the_run_folder_stand_in_the_page_and_nothing_else_does(tmp_path: Path) -> None:
    run = run_with(tmp_path, doubts={"yes": [DOUBT]})
    assert pictures_of(tmp_path) == {}
    folder = tmp_path / "recordings"
    folder.mkdir()
    row = zlib.compress(b"\x00\xff")
    head = struct.pack(">II5B", 1, 1, 8, 0, 0, 0, 0)
    (folder / "yes.png").write_bytes(b"\x89PNG\r\n\x1a\n" + head + row)
    (folder / "evil.png").write_bytes(b"<script>")
    (folder / "huge.png").write_bytes(b"\x89PNG" + bytes(200_000))
    found = pictures_of(tmp_path)
    assert list(found) == ["yes"]
    page = render_html(summarise(run), found)
    assert found["yes"] in page
    assert "Where speech ends in the recordings" in page
    assert "Where speech ends in the recordings" not in render_html(summarise(run))
