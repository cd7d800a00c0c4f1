"""Raw events come back as they went in, and a file cut at any byte gives the calls before the cut."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.errors import BenchError
from bench.facts.connection import Connection
from bench.facts.failure import Failure
from bench.facts.signals import AudioDelta, RateLimit, RateLimits, ServerError, TextDelta
from bench.facts.signals import ErrorInfo as Info
from bench.facts.timeline import Entry, Labels, Timeline, TurnFacts
from bench.store.folder import RunFolder
from bench.store.reader import iter_timelines
from bench.store.spool import SpoolWriter


def call(number: int, text: str = "hello") -> Timeline:
    labels = Labels("r", "w0", f"c{number}", number, 0, "s", "local", None, "openai", "websocket")
    turn = TurnFacts(
        0, 0, "f", 1, 2, 3, 4, "ref", "en", "us", "rms", frame_late_us=[1, 2], failure=Failure("closed", "turn")
    )
    signals = (
        TextDelta(at_ns=10, response_id="r1", text=text),
        AudioDelta(at_ns=11, response_id=None, item_id=None, samples=480, encoded="AAAA"),
        RateLimits(at_ns=12, limits=(RateLimit("tokens", 10, 5, 1.5),)),
        ServerError(at_ns=13, error=Info(code="x"), fatal=True),
    )
    entries = [Entry(signal, signal.at_ns + 1, 0) for signal in signals]
    return Timeline(
        labels,
        Connection(0, kernel_stamps=True, headers={"a": "b"}),
        24_000,
        False,
        1,
        True,
        turns=[turn],
        entries=entries,
    )


def test_round_trip_without_the_audio(tmp_path: Path) -> None:
    calls = [call(number, text="naïve \u2028 text") for number in range(3)]
    with SpoolWriter(RunFolder(tmp_path), "w0") as spool:
        for timeline in calls:
            spool.timeline(timeline)
    assert list(iter_timelines(tmp_path)) == calls
    assert b"AAAA" not in RunFolder(tmp_path).events_of("w0").read_bytes()


def test_a_run_without_events_has_no_timelines(tmp_path: Path) -> None:
    assert list(iter_timelines(tmp_path)) == []


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, list[int]]:
    """The file of four calls, and its size after each of them."""
    folder = RunFolder(tmp_path_factory.mktemp("events"))
    ends = []
    with SpoolWriter(folder, "w0") as spool:
        for number in range(4):
            spool.timeline(call(number, text="x" * number * 50))
            ends.append(folder.events_of("w0").stat().st_size)
    return folder.events_of("w0").read_bytes(), ends


@settings(max_examples=60, deadline=None)
@given(cut=st.integers(min_value=0, max_value=2000))
def test_cut_anywhere(tmp_path_factory: pytest.TempPathFactory, stored: tuple[bytes, list[int]], cut: int) -> None:
    data, ends = stored
    folder = RunFolder(tmp_path_factory.mktemp("cut"))
    folder.events.mkdir()
    folder.events_of("w0").write_bytes(data[:cut])
    whole = sum(1 for end in ends if end <= cut)
    assert [timeline.labels.session_id for timeline in iter_timelines(folder.root)] == [f"c{n}" for n in range(whole)]


def test_a_line_that_is_no_timeline_is_an_error(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    with SpoolWriter(folder, "w0"):
        pass
    import gzip

    folder.events_of("w0").write_bytes(gzip.compress(b'{"labels": 1}\n'))
    with pytest.raises(BenchError, match="cannot be read"):
        list(iter_timelines(tmp_path))
