"""The simulated services: known words at known times, and what the profile lets go wrong.

The recording that was uploaded is recognised among the fixtures, as in a simulated call; its words are those of the
catalogue with the profile's word errors. Trap: times are absolute, counted from the last byte of the request, so a
slow loop makes one piece late and never the next.
"""

from __future__ import annotations

import asyncio
import io
import math
import random
import time
from collections.abc import AsyncGenerator, Mapping
from typing import Any

import numpy as np
import soundfile

from bench.audio.catalogue import load_catalogue, shipped_catalogue, shipped_sounds
from bench.audio.formats import AudioFormat, resample, to_pcm16
from bench.audio.level_detector import LevelDetector
from bench.audio.recording_matcher import Match, RecordingMatcher, reduced
from bench.server.deadlines import Deadlines
from bench.server.engines.base import FunctionCall
from bench.server.engines.simulated.profile import Profile
from bench.server.engines.simulated.reply_plan import chunk
from bench.server.engines.simulated.word_errors import with_errors
from bench.server.http_legs.profile import LegFault, fault_of
from bench.server.http_legs.requests import ChatRequest, SpeechRequest, TranscriptionRequest
from bench.server.http_legs.services import SPEECH_RATE_HZ, Asked, CutError, Raw, RefusedError
from bench.server.protocol.client_errors import ProtocolError
from bench.server.protocol.usage import words

NS_PER_MS = 1_000_000
_PIECE_MS = 20
AHEAD_NS = 1_000_000
"""So long before it is due a piece is made."""
_ERRORS = {
    400: ("invalid_request_error", "invalid_value", "The request is wrong."),
    401: ("invalid_request_error", "invalid_api_key", "Incorrect API key provided."),
    403: ("invalid_request_error", "permission_denied", "Access to this model is not allowed."),
    404: ("invalid_request_error", "model_not_found", "The model does not exist."),
    429: ("requests", "rate_limit_exceeded", "Rate limit reached. Please try again later."),
    500: ("server_error", None, "The server had an error while processing your request."),
    503: ("server_error", None, "The server is overloaded or not ready yet."),
}


class SimulatedServices:
    """The three services by one profile."""

    name = "simulated"

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self._legs = profile.legs
        self.models: Mapping[str, str] = {leg: f"{profile.model}-{leg}" for leg in ("stt", "llm", "tts")}
        self.settings: Mapping[str, Any] = {"profile": profile.model_dump(mode="json")}
        own = load_catalogue(profile.catalogue or shipped_catalogue()).fixtures
        self._fixtures = {**load_catalogue(shipped_sounds()).fixtures, **own}
        self._matcher = RecordingMatcher(self._fixtures.values(), confidence=profile.recognition.confidence)
        self._by_text = {_plain(fixture.text): fixture.id for fixture in self._fixtures.values()}

    async def start(self, deadlines: Deadlines) -> None:
        self._deadlines = deadlines

    async def stop(self) -> None:
        """Nothing of it goes on."""

    async def transcribe(self, request: TranscriptionRequest, asked: Asked) -> AsyncGenerator[str | Raw, None]:
        rng, fault = self._begin("stt", asked)
        delay_ms = self._legs.stt.delay.draw_ms(rng)
        # In a thread: other requests are due meanwhile.
        match, audio_ms = await asyncio.to_thread(self._recognised, request.file)
        asked.facts |= {"planned_ms": {"delay": delay_ms}, "audio_ms": round(audio_ms, 1)}
        asked.facts["fixture"] = match.fixture.id if match is not None else None
        errors = self._profile.transcription.errors.model_dump()
        text = ""
        if match is not None:
            text = with_errors(match.fixture.text, rng=rng, language=match.fixture.language, **errors).text
        asked.facts["transcript"] = text
        await self._until(asked, delay_ms)
        await self._go_wrong(fault)
        for word in words(text):
            yield word
        if fault is not None and fault.kind == "garbage":
            yield Raw(b"{this is no JSON")

    async def chat(self, request: ChatRequest, asked: Asked) -> AsyncGenerator[str | FunctionCall | Raw, None]:
        rng, fault = self._begin("llm", asked)
        first_ms = self._legs.llm.first_token.draw_ms(rng)
        answer = words(self._answer(request))
        gaps_ms = [self._legs.llm.token_gap.draw_ms(rng) for _ in answer]
        asked.facts["planned_ms"] = {"first_token": first_ms, "tokens": sum(gaps_ms[:-1])}
        due_ms = first_ms
        for place, word in enumerate(answer):
            await self._until(asked, due_ms)
            if place == 1:
                due_ms += await self._go_wrong(fault)
                if fault is not None and fault.kind == "garbage":
                    yield Raw(b"data: {this is no JSON\n\n")
            yield word
            due_ms += gaps_ms[place]

    async def speak(self, request: SpeechRequest, asked: Asked) -> AsyncGenerator[bytes | Raw, None]:
        rng, fault = self._begin("tts", asked)
        tts = self._legs.tts
        first_ms = tts.first_byte.draw_ms(rng)
        sound_ms = round(max(1, len(words(request.text))) * tts.word / request.speed)
        asked.facts |= {"planned_ms": {"first_byte": first_ms, "sound": sound_ms}, "characters": len(request.text)}
        per_ms = SPEECH_RATE_HZ // 1000
        total, silent = (tts.leading_silence + sound_ms) * per_ms, tts.leading_silence * per_ms
        size, due_ms = tts.chunk * per_ms, first_ms
        for place, start in enumerate(range(0, total, size)):
            await self._until(asked, due_ms)
            if place == 1:
                due_ms += await self._go_wrong(fault)
            samples = min(size, total - start)
            yield chunk(AudioFormat.PCM16, min(max(0, silent - start), samples), samples).data
            due_ms += tts.chunk / tts.delivery_speed

    def _begin(self, leg: Any, asked: Asked) -> tuple[random.Random, LegFault | None]:
        """The draws of this request and its fault; what is refused at once is raised."""
        seed = self._profile.seed
        fault = fault_of(self._legs.faults, leg, seed, asked.number)
        asked.facts["fault"] = fault.kind if fault is not None else None
        if fault is not None and fault.kind == "status":
            status = fault.status or 500
            kind, code, message = _ERRORS[status]
            extra = {"retry_after": str(math.ceil(fault.retry_after / 1000))} if fault.retry_after else {}
            raise RefusedError(status, message, kind, code, **extra)
        if fault is not None and fault.kind == "missing_usage":
            asked.usage = False
        return random.Random(f"{seed}/{leg}/{asked.number}"), fault

    async def _go_wrong(self, fault: LegFault | None) -> float:
        """The fault behind the first piece; how much later that makes what follows, in ms."""
        if fault is None or fault.kind not in {"stall", "cut", "no_answer"}:
            return 0.0
        await asyncio.sleep((fault.after or 0) / 1000)
        if fault.kind == "cut":
            raise CutError
        if fault.delay is None:
            await asyncio.Event().wait()  # until the client hangs up
        await asyncio.sleep((fault.delay or 0) / 1000)
        return float((fault.after or 0) + (fault.delay or 0))

    async def _until(self, asked: Asked, due_ms: float) -> None:
        """Wait for an instant after the request's arrival, at which what follows is written.

        It ends a little before, so that the piece is ready by then; an instant that has passed is no wait.
        """
        if asked.facts.get("fault") == "no_answer":
            await asyncio.Event().wait()
        due_ns = asked.arrived_ns + round(due_ms * NS_PER_MS)
        asked.hold_until(due_ns)
        if due_ns - AHEAD_NS > time.monotonic_ns():
            rung = asyncio.Event()
            deadline = self._deadlines.at(due_ns - AHEAD_NS, rung.set)
            try:
                await rung.wait()
            finally:
                deadline.cancel()

    def _recognised(self, data: bytes) -> tuple[Match | None, float]:
        """Which fixture was uploaded, and its length in ms."""
        try:
            found, rate_hz = soundfile.read(io.BytesIO(data), dtype="float64", always_2d=True)
        except soundfile.LibsndfileError:
            message = "The audio file could not be decoded or its format is not supported."
            raise ProtocolError(message, code="audio_unreadable", param="file") from None
        pcm = resample(to_pcm16(found.mean(axis=1))[0], rate_hz, SPEECH_RATE_HZ)
        audio_ms = len(found) * 1000 / rate_hz
        detector = LevelDetector(AudioFormat.PCM16, self._profile.recognition.silence)
        size = _PIECE_MS * SPEECH_RATE_HZ // 1000
        for start in range(0, len(pcm), size):
            detector.feed(AudioFormat.PCM16.encode(pcm[start : start + size]), 0)
        if detector.last_active <= detector.onset:
            return None, audio_ms
        speech_ms = (detector.last_active - detector.onset) * 1000 / SPEECH_RATE_HZ
        heard = reduced(np.asarray(pcm[: detector.last_active]), SPEECH_RATE_HZ)
        return self._matcher.ended(heard, speech_ms), audio_ms

    def _answer(self, request: ChatRequest) -> str:
        """What is said to the newest words of the user: by fixture where the profile has that, else always the same."""
        said = next((each.get("content") for each in reversed(request.messages) if each.get("role") == "user"), None)
        known = self._by_text.get(_plain(said)) if isinstance(said, str) else None
        own = self._profile.replies.get(known) if known is not None else None
        return own.text if own is not None else self._profile.reply


def _plain(text: str) -> str:
    """A text without what two wordings of one utterance may differ in."""
    return " ".join("".join(letter if letter.isalnum() else " " for letter in text.lower()).split())
