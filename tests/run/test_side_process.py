"""The process beside a run: words go both ways, and its death is nothing to the run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bench.errors import BenchError
from bench.run.side_process import SideProcess

ECHO = "tests.run.echo_process"
SOON_S = 20.0


@pytest.fixture
def echo() -> Iterator[SideProcess]:
    process = SideProcess(ECHO, {}, what="the echo")
    yield process
    process.kill()


def test_what_was_said_is_answered_to_the_last_word(echo: SideProcess) -> None:
    for number in range(200):
        echo.say(number=number)
    echo.no_more_words()
    assert [said["number"] for said in echo.answers(SOON_S)] == list(range(200))
    assert not echo.kill(after_s=SOON_S)


def test_a_process_that_died_is_told_as_ended_and_raises_nothing(echo: SideProcess) -> None:
    echo.say(die=True)
    echo.flush()
    assert list(echo.answers(SOON_S)) == []
    for _ in range(3):
        echo.say(moment="x" * 1_000)
        assert list(echo.heard()) == []
    echo.flush()
    echo.no_more_words()
    assert not echo.kill(after_s=SOON_S)
    assert echo.ended()


def test_a_process_that_does_not_start_is_an_error_that_says_what_to_do() -> None:
    with pytest.raises(BenchError, match="the process of the echo did not start") as raised:
        SideProcess(ECHO, {"refuse": True}, what="the echo", hint="leave --echo out")
    assert raised.value.hint == "leave --echo out"
