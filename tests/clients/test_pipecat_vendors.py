"""pipecat's services for xAI, Azure Voice Live and Gemini Live in pipelines, as they are installed."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import pytest

pytest.importorskip("pipecat.services.xai.realtime.llm", reason="needs the extra 'clients'")

from google import genai
from google.genai.types import HttpOptions
from pipecat.adapters.llm.schemas.tools_schema import ToolsSchema
from pipecat.frames.frames import (
    FunctionCallResultFrame,
    InterruptionFrame,
    TTSStoppedFrame,
    UserStartedSpeakingFrame,
    UserStoppedSpeakingFrame,
)
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.services.azure.voice_live import events as azure
from pipecat.services.azure.voice_live.llm import AzureVoiceLiveLLMService
from pipecat.services.google.gemini_live.llm import GeminiLiveLLMService, GeminiVADParams
from pipecat.services.xai.realtime import events as xai
from pipecat.services.xai.realtime.llm import GrokRealtimeLLMService

from tests.clients.pipecat_call import SCHEMA, Call, Talk, in_pipeline
from tests.clients.support import (
    CUT,
    KEY,
    LONG,
    LONG_S,
    RESULT,
    SHORT,
    SHORT_S,
    profile_in,
    short_key,
)  # fmt: skip
from tests.server.support import server_process
from tests.support.certificates import CA, SERVER, certificates

PROMPT = "You are a bank's telephone agent."


@dataclass(frozen=True)
class Wanted:
    """What a service is to be."""

    manual: bool = False
    short: bool = False
    """It is given a short-lived key."""
    tools: bool = False

    def schema(self) -> Any:
        return ToolsSchema(standard_tools=[SCHEMA]) if self.tools else None


def grok(address: str, wanted: Wanted) -> Any:
    heard = xai.AudioInput(transcription=xai.InputAudioTranscription(model="grok-transcribe"))
    properties = xai.SessionProperties(
        instructions=PROMPT,
        voice="ara",
        turn_detection=None if wanted.manual else xai.TurnDetection(silence_duration_ms=300),
        audio=xai.AudioConfiguration(input=heard),
        tools=wanted.schema(),
    )
    return GrokRealtimeLLMService(
        api_key=short_key(address) if wanted.short else KEY,
        base_url=address.replace("http", "ws") + "/v1/realtime",
        settings=GrokRealtimeLLMService.Settings(session_properties=properties),
    )


def voice_live(address: str, wanted: Wanted) -> Any:
    """The service as it is set by itself, but for what is wanted."""
    made = AzureVoiceLiveLLMService(
        endpoint=f"wss://{urlsplit(address).netloc}",
        api_key=None if wanted.short else KEY,
        token_provider=token if wanted.short else None,
        settings=AzureVoiceLiveLLMService.Settings(system_instruction=PROMPT),
    )
    properties = made._settings.session_properties
    properties.tools = wanted.schema()
    if wanted.manual:
        properties.turn_detection = False
    else:
        assert properties.turn_detection == azure.TurnDetection(type="azure_semantic_vad")
    return made


async def token() -> str:
    """What azure-identity would give."""
    return KEY


def gemini(address: str, wanted: Wanted) -> Any:
    trusted = ssl.create_default_context(cafile=str(certificates() / CA))
    http: dict[str, Any] = {"base_url": f"https://{urlsplit(address).netloc}", "async_client_args": {"ssl": trusted}}
    key = KEY
    if wanted.short:
        http["api_version"] = "v1alpha"
        made = genai.Client(api_key=KEY, http_options={**http, "client_args": {"verify": trusted}})
        key = made.auth_tokens.create(config={"uses": 1}).name
    return GeminiLiveLLMService(
        api_key=key,
        http_options=HttpOptions(**http),
        tools=wanted.schema(),
        settings=GeminiLiveLLMService.Settings(
            system_instruction=PROMPT, vad=GeminiVADParams(disabled=True) if wanted.manual else None
        ),
    )


VENDORS: dict[str, tuple[str, bool, Callable[[str, Wanted], Any]]] = {
    "xai": ("xai", False, grok),
    "azure": ("azure-voice-live", True, voice_live),
    "gemini": ("gemini-live", True, gemini),
}
"""The dialect of the server, whether it has to have TLS, and the service."""


@pytest.fixture(scope="module", params=list(VENDORS))
def vendor(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[Wanted], Any]]:
    """Makes the service of one vendor, for a server of its dialect."""
    dialect, secure, make = VENDORS[request.param]
    options: dict[str, Any] = {"engine": "simulated", "profile": profile_in(tmp_path_factory), "dialect": dialect}
    if secure:
        options["tls_cert"] = certificates() / SERVER
    with pytest.MonkeyPatch.context() as patch, server_process(api_key=KEY, **options) as (_, address):
        patch.setenv("SSL_CERT_FILE", str(certificates() / CA))
        yield lambda wanted: make(address, wanted)


def talked(service: Any, talk: Talk) -> Call:
    """A call in which the agent was greeted, and answered that, before `talk`."""

    async def after_a_greeting(call: Call) -> None:
        await call.run_llm()
        await call.until_one(TTSStoppedFrame)
        call.listener.frames.clear()
        await talk(call)

    return in_pipeline(service, after_a_greeting, LLMContext(messages=[{"role": "user", "content": "Hello."}]))


async def a_turn(call: Call) -> None:
    await call.say(SHORT)
    await call.until(lambda: call.sound_s() > SHORT_S / 2)
    await call.until_one(TTSStoppedFrame)


def test_a_turn_that_the_server_detects(vendor: Callable[[Wanted], Any]) -> None:
    assert talked(vendor(Wanted()), a_turn).sound_s() == pytest.approx(SHORT_S, abs=0.25)


def test_a_turn_by_hand(vendor: Callable[[Wanted], Any]) -> None:
    async def talk(call: Call) -> None:
        await call.queue(UserStartedSpeakingFrame())
        await call.say(SHORT)
        await call.queue(UserStoppedSpeakingFrame())
        await call.until(lambda: call.sound_s() > SHORT_S / 2)
        await call.until_one(TTSStoppedFrame)

    assert talked(vendor(Wanted(manual=True)), talk).sound_s() == pytest.approx(SHORT_S, abs=0.25)


def test_a_tool_is_run_and_its_result_is_answered(vendor: Callable[[Wanted], Any]) -> None:
    call = talked(vendor(Wanted(tools=True)), a_turn)
    assert {frame.result for frame in call.of(FunctionCallResultFrame)} == {RESULT}
    assert call.sound_s() == pytest.approx(SHORT_S, abs=0.25)


def test_a_barge_in_ends_the_reply(vendor: Callable[[Wanted], Any]) -> None:
    before: list[float] = []

    async def talk(call: Call) -> None:
        await call.say(LONG)
        await call.until(lambda: call.sound_s() > 0)
        call.listener.frames = [frame for frame in call.listener.frames if not isinstance(frame, InterruptionFrame)]
        await call.say(CUT)
        await call.until_one(InterruptionFrame)
        before.append(call.sound_s())
        await call.until(lambda: call.sound_s() > before[0] + SHORT_S / 2)

    talked(vendor(Wanted()), talk)
    assert 0 < before[0] < LONG_S / 2


@pytest.mark.filterwarnings("ignore:The SDK's")
def test_a_short_lived_key_opens_a_session(vendor: Callable[[Wanted], Any]) -> None:
    assert talked(vendor(Wanted(short=True)), a_turn).sound_s() == pytest.approx(SHORT_S, abs=0.25)
