"""The engine `cascade`: what the caller said is written down by one service, answered by a second, spoken by a third.

The session inside is the same as for every engine, so a cascade is called and measured like a single model. What each
service took and used is told in `response.done` (`report`). Trap: words of the model are sent as they come, before they
are spoken; a caller who cuts in has heard less than was written, and says so by truncating the item.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
import time
from collections import deque
from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import soxr

from bench.audio.formats import AudioFormat
from bench.scenario.cascade import CascadeConfig
from bench.server.allowance import Allowance
from bench.server.engines.base import EngineError, FunctionCall, Handler, StreamingSession
from bench.server.engines.cascade.caller import Work
from bench.server.engines.cascade.clients import Clients, Transcription
from bench.server.engines.cascade.leg_error import LegError
from bench.server.engines.cascade.listening import CascadeInput
from bench.server.engines.cascade.messages import messages_of, tools_of
from bench.server.engines.cascade.pipeline import Pipeline
from bench.server.engines.cascade.report import ReplyReport, transcription_usage
from bench.server.protocol.commands import Event, ReplyRequest
from bench.server.protocol.config import Json
from bench.server.protocol.input_audio import InputAudio

REQUESTS_PER_MIN, TOKENS_PER_MIN = 20_000, 15_000_000
MOST_KEPT = 100_000
LEAST_HEARD_MS = 100
"""Shorter audio is not sent to be written down: services refuse it."""


class CascadeEngine:
    """The connections to the three services, shared by all callers."""

    name = "cascade"
    session_lifetime_s: float | None = None

    def __init__(self, config: CascadeConfig, base: Path) -> None:
        self.config = config
        self.default_model = config.llm.model
        """The model whose tokens the usage of a response counts."""
        self.settings: Mapping[str, Any] = {"cascade": config.model_dump(mode="json")}
        self.own_ms: deque[float] = deque(maxlen=MOST_KEPT)
        """What the cascade itself added to each reply."""
        self.calls = 0
        """Calls under way."""
        self._base = base
        self._allowance = Allowance(REQUESTS_PER_MIN, TOKENS_PER_MIN, 0)
        self._clients: Clients | None = None

    async def start(self) -> None:
        self._clients = Clients.of(self.config, os.environ, self._base)
        try:
            await asyncio.gather(*(caller.knock() for caller in self._clients.callers))
        except LegError as problem:
            await self._clients.close()
            raise EngineError(f"{problem} ({getattr(self.config, problem.leg).url})") from problem

    async def stop(self) -> None:
        if self._clients is not None:
            await self._clients.close()
        if self.own_ms:
            print(f"cascade: {self.overhead}", file=sys.stderr)

    def session(self, handler: Handler, _number: int) -> CascadeSession:
        assert self._clients is not None
        self.calls += 1
        self.prepare()
        return CascadeSession(handler, self._allowance, self, self._clients)

    def prepare(self) -> None:
        """Have connections open for what may be asked next, so that no turn waits for one."""
        if self._clients is not None:
            self._clients.prepare(self.calls, ahead=self.config.sentences.ahead)

    def health(self) -> dict[str, Any]:
        models = {leg: service.model for leg, service in self.config.services()}
        return {"models": models, "overhead": self.overhead}

    @property
    def overhead(self) -> str:
        """What the cascade itself added, in a sentence."""
        kept = sorted(self.own_ms)
        if not kept:
            return "no reply was spoken yet"
        high = kept[min(len(kept) - 1, int(len(kept) * 0.99))]
        return f"{len(kept)} replies, to which it added {statistics.median(kept):.1f} ms (p50), {high:.1f} ms (p99)"


@dataclass(slots=True, eq=False)
class _Utterance:
    """What the caller said in one item."""

    rate_hz: int
    work: Work
    pcm: bytearray = field(default_factory=bytearray)
    committed_ns: int | None = None
    asked: Transcription | None = None
    task: asyncio.Task[str] | None = None
    reported: bool = False
    """Its transcription is part of a reply's report."""


class CascadeSession(StreamingSession):
    """One caller."""

    def __init__(self, handler: Handler, allowance: Allowance, engine: CascadeEngine, clients: Clients) -> None:
        super().__init__(handler, allowance)
        self._engine, self._config, self._clients = engine, engine.config, clients
        self._heard: dict[str, _Utterance] = {}
        self._reports: dict[str, ReplyReport] = {}
        self._heard_until_ns = 0
        """When a listener without a buffer has heard what was sent."""

    # -- the caller

    def input_audio(self, audio_format: AudioFormat, turn_detection: Json | None) -> InputAudio:
        self._input = CascadeInput(
            audio_format,
            turn_detection,
            endpointing=self._config.endpointing,
            barge_in=self._config.barge_in,
            replying=lambda: bool(self._replies) or time.monotonic_ns() < self._heard_until_ns,
            sounds=self._engine.prepare,
        )
        return self._input

    def open_input(self, item_id: str, rate_hz: int) -> None:
        self._heard[item_id] = _Utterance(rate_hz, Work(self._config.stt.model))

    def feed_input(self, item_id: str, pcm: bytes) -> None:
        if item_id in self._heard:
            self._heard[item_id].pcm += pcm

    def commit_input(self, item_id: str, *, transcribe: bool) -> None:
        said = self._heard.get(item_id)
        if said is not None:
            said.committed_ns = time.monotonic_ns()
            if self._input.committed is not None:
                said.pcm, self._input.committed = bytearray(self._input.committed), None
            self._ask(said)
            said.task = asyncio.create_task(self._write_down(said))
            said.task.add_done_callback(_looked_at)
        super().commit_input(item_id, transcribe=transcribe)

    def drop_input(self, item_id: str) -> None:
        said = self._heard.pop(item_id, None)
        if said is not None and said.asked is not None:
            said.asked.leave()
        if said is not None and said.task is not None:
            said.task.cancel()

    async def transcript(self, item_id: str) -> str:
        said = self._heard.get(item_id)
        if said is None or said.task is None:
            raise EngineError("this audio was never heard")
        return await asyncio.shield(said.task)

    def _ask(self, said: _Utterance) -> None:
        """Ask for its words now, unless too little was said."""
        pcm, said.pcm = bytes(said.pcm), bytearray()
        if len(pcm) >= said.rate_hz * 2 * LEAST_HEARD_MS // 1000:
            said.asked = self._clients.stt.begin(pcm, said.rate_hz, said.work)

    async def _write_down(self, said: _Utterance) -> str:
        return "" if said.asked is None else await said.asked.text()

    # -- the reply

    async def reply(self, request: ReplyRequest) -> AsyncGenerator[str | bytes | FunctionCall, None]:
        report = self._reports[request.response_id] = ReplyReport(time.monotonic_ns())
        heard = await self._words(request, report)
        messages = messages_of(request.instructions, request.context, heard)
        spoken = request.modality == "audio"
        voice = request.voice if spoken else None
        pipeline = Pipeline(self._clients, self._config, report, voice=voice, speed=request.speed)
        encoder = _Encoder(self._clients.tts.rate_hz, request.output_format)
        async with aclosing(pipeline.pieces(messages, tools_of(request))) as pieces:
            async for piece in pieces:
                if not isinstance(piece, bytes):
                    if isinstance(piece, FunctionCall) and (rest := encoder.rest()):
                        yield self._sent(rest, request.output_format, report)
                    yield piece
                elif data := encoder.encode(piece):
                    yield self._sent(data, request.output_format, report)
        if rest := encoder.rest():
            yield self._sent(rest, request.output_format, report)

    async def _words(self, request: ReplyRequest, report: ReplyReport) -> dict[str, str]:
        """The words of every item that is audio; those of the newest are part of the report."""
        heard: dict[str, str] = {}
        for item in request.context:
            said = self._heard.get(item.item_id)
            if item.text is not None or said is None:
                continue
            newest = item is request.context[-1]
            if newest:
                report.committed_ns = said.committed_ns
            try:
                heard[item.item_id] = await self.transcript(item.item_id)
            except EngineError:
                if newest:
                    raise
            finally:
                if not said.reported and said.work.sent_ns is not None:  # too little is not sent
                    said.reported = True
                    report.stt.append(said.work)
        return heard

    def _sent(self, data: bytes, audio_format: AudioFormat, report: ReplyReport) -> bytes:
        now_ns = time.monotonic_ns()
        if report.sound_ns is None:
            report.sound_ns = now_ns
        length_ns = len(data) // audio_format.bytes_per_sample * 1_000_000_000 // audio_format.rate_hz
        self._heard_until_ns = max(self._heard_until_ns, now_ns) + length_ns
        return data

    def stop_reply(self, response_id: str) -> None:
        self._heard_until_ns = 0
        super().stop_reply(response_id)

    def outgoing(self, event: Event) -> Iterable[Event]:
        kind = event["type"]
        if kind == "response.done":
            return (self._told(event),)
        if kind == "conversation.item.input_audio_transcription.completed":
            said = self._heard.get(event["item_id"])
            return ({**event, "usage": None if said is None else transcription_usage(said.work)},)
        return (event,)

    def _told(self, event: Event) -> Event:
        """The end of a response with what the services took for it, and with the usage that the model told."""
        response = event["response"]
        report = self._reports.pop(response["id"], None)
        if report is None:
            return event
        if report.own_ms is not None:
            self._engine.own_ms.append(report.own_ms)
        self.handler.truth.add("reply", self.handler.session.id, response=response["id"], **report.record())
        metadata = {**(response["metadata"] or {}), **report.metadata()}
        return {**event, "response": {**response, "metadata": metadata, "usage": report.usage()}}

    def close(self) -> None:
        super().close()
        self._engine.calls -= 1
        for item_id in list(self._heard):
            self.drop_input(item_id)


class _Encoder:
    """The sound of one reply in the format of its session; a change of rate goes on from piece to piece."""

    def __init__(self, rate_hz: int, audio_format: AudioFormat) -> None:
        self._format = audio_format
        same = rate_hz == audio_format.rate_hz
        self._stream = None if same else soxr.ResampleStream(rate_hz, audio_format.rate_hz, 1, dtype="int16")

    def encode(self, pcm: bytes) -> bytes:
        samples = np.frombuffer(pcm, dtype="<i2").astype(np.int16, copy=False)
        return self._format.encode(samples if self._stream is None else self._stream.resample_chunk(samples))

    def rest(self) -> bytes:
        """What is left at the end; nothing after that."""
        if self._stream is None:
            return b""
        stream, self._stream = self._stream, None
        return self._format.encode(stream.resample_chunk(np.empty(0, dtype=np.int16), last=True))


def _looked_at(task: asyncio.Task[str]) -> None:
    """A transcription that nobody waits for may fail in silence."""
    if not task.cancelled():
        task.exception()
