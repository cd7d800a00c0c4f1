"""The sound of a reply is in the order of its sentences, and a reply that is left ends its requests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from bench.scenario.cascade import LEGS, CascadeConfig
from bench.server.engines.base import FunctionCall
from bench.server.engines.cascade.caller import Work
from bench.server.engines.cascade.leg_error import LegError
from bench.server.engines.cascade.pipeline import Pipeline
from bench.server.engines.cascade.report import ReplyReport


class Services:
    """Both services at once: words at once, sound after `waits` by sentence."""

    def __init__(self, pieces: list[str | FunctionCall | Exception], waits: dict[str, float]) -> None:
        self.pieces, self.waits = pieces, waits
        self.open = self.most_open = 0
        self.llm, self.tts = self, self

    def begin(self, first: Any, *rest: Any) -> Asked:
        return Asked(self.speak(first) if isinstance(first, str) else self._think())

    async def _think(self) -> AsyncGenerator[str | FunctionCall, None]:
        for piece in self.pieces:
            if isinstance(piece, Exception):
                raise piece
            yield piece
            await asyncio.sleep(0)

    async def speak(self, text: str) -> AsyncGenerator[bytes, None]:
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        try:
            await asyncio.sleep(self.waits.get(text, 0.0))
            yield text.encode()
            await asyncio.sleep(0)
            yield b"|"
        finally:
            self.open -= 1


class Asked:
    """A request whose answer is `pieces`."""

    def __init__(self, pieces: AsyncGenerator[Any, None]) -> None:
        self._pieces = pieces

    def pieces(self) -> AsyncGenerator[Any, None]:
        return self._pieces

    def leave(self) -> None:
        pass


def pipeline(services: Services, *, spoken: bool = True, **sentences: Any) -> Pipeline:
    legs = {leg: {"url": "http://h/v1", "model": leg} for leg in LEGS}
    config = CascadeConfig.model_validate({**legs, "sentences": {"shortest": 1, **sentences}})
    return Pipeline(services, config, ReplyReport(0), voice="v" if spoken else None)  # type: ignore[arg-type]


async def everything(reply: Pipeline) -> list[Any]:
    return [piece async for piece in reply.pieces([], {})]


def test_a_later_sentence_never_overtakes() -> None:
    services = Services(["One. ", "Two. ", "Three."], {"One.": 0.02})
    found = asyncio.run(everything(pipeline(services)))
    assert b"".join(piece for piece in found if isinstance(piece, bytes)) == b"One.|Two.|Three.|"
    assert "".join(piece for piece in found if isinstance(piece, str)) == "One. Two. Three."
    assert services.most_open == 2


def test_calls_come_behind_the_sound() -> None:
    call = FunctionCall("look", "{}")
    found = asyncio.run(everything(pipeline(Services(["A moment. ", call], {"A moment.": 0.01}))))
    assert found[-1] == call
    assert found[-2] == b"|"


def test_a_reply_in_text_is_not_spoken() -> None:
    services = Services(["One. ", "Two."], {})
    assert asyncio.run(everything(pipeline(services, spoken=False))) == ["One. ", "Two."]
    assert services.most_open == 0


def test_a_service_that_fails_ends_the_others() -> None:
    async def run() -> Services:
        services = Services(["One. ", "Two. ", LegError("llm", "cut", "closed_error", "gone")], {"One.": 5.0})
        with pytest.raises(LegError, match="gone"):
            await everything(pipeline(services))
        return services

    assert asyncio.run(run()).open == 0


def test_a_reply_that_is_left_ends_its_requests() -> None:
    async def run() -> Services:
        services = Services(["One. ", "Two. ", "Three."], {"Two.": 5.0})
        pieces = pipeline(services).pieces([], {})
        async for piece in pieces:
            if isinstance(piece, bytes):
                break
        await pieces.aclose()
        return services

    assert asyncio.run(run()).open == 0


def test_the_first_sentence_is_noted() -> None:
    reply = pipeline(Services(["One. ", "Two."], {}))
    asyncio.run(everything(reply))
    report = reply._report
    assert report.sentence_ns is not None
    assert isinstance(report.llm, Work)
    assert len(report.tts) == 2
