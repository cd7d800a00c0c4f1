"""What every wire protocol offers a call: intents in, messages out; messages in, signals out.

A dialect is sans-I/O: it never opens a socket, sleeps or reads a clock, so it is tested from a recorded transcript at
full speed. One object holds the state of one session; each call makes its own. What the protocol wants to send by
itself (the answer to a ping, a tool's result) it puts into its outbox with `post`; the call sends it.
Trap: some protocols have no commit, no usage or no end of audio; a session relies on signals only.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from bench.audio.formats import AudioFormat
from bench.dialects.recognition import when_no_websocket, when_silent
from bench.facts.failure import Failure
from bench.facts.http import HttpRequest
from bench.facts.signals import AudioDelta, ErrorInfo, Signal

if TYPE_CHECKING:
    from bench.dialects.session_config import SessionConfig

WireMessage = str | bytes
"""A message to send: text, or binary."""
_NOTHING_THERE = (200, 404, 405)
_NOT_SPECIFIC = frozenset({None, "http_200", "http_404", "http_405", "unknown_url", "invalid_request_error"})
"""Codes of answers that name no other cause, such as a model that is not there."""


@dataclass(frozen=True, slots=True)
class Address:
    """Whom a scenario wants to call, with secrets filled in: never printed, logged or stored."""

    url: str = field(repr=False)
    model: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    query: Mapping[str, str] = field(default_factory=dict, repr=False)
    subprotocols: tuple[str, ...] = field(default=(), repr=False)
    transcribes: bool = False
    """The session is to write down what it hears, and not to answer."""
    key_header: str | None = None
    """The one of `headers` that holds the key; None without a key."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where and how to connect; `headers` and `url` may hold a secret and are never printed."""

    url: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    subprotocols: tuple[str, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class KeyTerms:
    """What a short-lived key is asked to be."""

    lifetime_s: int
    url: str | None = None
    """Who gives it, elsewhere than usual; None: the usual path at the host of the calls."""
    shared: bool = False
    """Several calls are made with it."""
    now_s: float | None = None
    """The time (Unix seconds), for protocols in which the end of a key is an instant; None: the server chooses it."""


@dataclass(frozen=True, slots=True)
class ShortKey:
    """A short-lived key that a server gave for the long-lived one: never printed, logged or stored."""

    value: str = field(repr=False)
    expires_at_s: float | None = None
    """By the server's clock, Unix seconds; None: it did not say."""


class Dialect(ABC):
    """One session's view of a protocol."""

    name: ClassVar[str]
    vendor: ClassVar[str | None] = None
    """Whose protocol it is, in the words of OpenTelemetry (`gen_ai.provider.name`); None: those have no word for it."""
    voices: ClassVar[tuple[str, ...]] = ()
    """Voices that a scenario may give as a plain word."""
    formats: ClassVar[tuple[str, ...]] = ("pcm16", "pcmu", "pcma")
    """Audio formats that a scenario may ask for, in either direction."""
    sessions: ClassVar[tuple[str, ...]] = ("realtime",)
    """Kinds of sessions that a scenario may ask for: `realtime` ones answer, `transcription` ones write down."""
    renews: ClassVar[bool] = False
    """A call can go on in a new session: `renew` forgets all that was of the old one."""
    turn_detections: ClassVar[tuple[str, ...]] = ("server_vad", "semantic_vad", "manual")
    """Who may decide that the caller's turn has ended."""
    outputs: ClassVar[tuple[str, ...]] = ("audio", "text")
    """What a reply may be."""
    frame_ms: ClassVar[int | None] = None
    """The one length that frames of caller audio have; None: a scenario chooses."""
    has_keypad: ClassVar[bool] = False
    """A caller can press keys of a telephone (`press`)."""
    transcribes: ClassVar[bool] = True
    """Servers say what they heard, where that is asked for."""
    gives_short_keys: ClassVar[bool] = False
    """Servers of this protocol give a short-lived key for the long-lived one (`auth: ephemeral`)."""
    shares_frames: ClassVar[bool] = True
    """`audio_message` depends on the payload alone, so that one packed frame serves every call."""
    numbers_frames: ClassVar[bool] = False
    """`audio_message` depends on what was sent before, so that a frame's is made when it is sent."""

    def __init__(self, config: SessionConfig, model: str | None = None) -> None:
        self.config = config
        self.model = model
        self.input_format = AudioFormat.usual(config.input_format)
        """What the caller sends. Final when `SessionReady` has been given; frames are made from it then."""
        self.output_format = AudioFormat.usual(config.output_format)
        """What the reply's audio is. Final when `SessionReady` has been given."""
        self.manual = config.manual
        """The caller says when a turn ends (push to talk); otherwise the server detects it."""
        self.expects_audio = config.output == "audio"
        detection = config.turn_detection
        self.speech_interrupts = not self.manual and getattr(detection, "interrupt_response", None) is not False
        """The server stops its reply when it hears the caller, so that a client stops playing it then."""
        self._outbox: list[WireMessage] = []

    @classmethod
    def endpoint(cls, address: Address) -> Endpoint:
        """Where a call to `address` goes under this protocol."""
        return Endpoint(address.url, address.headers, address.subprotocols)

    @classmethod
    def short_key_request(cls, address: Address, terms: KeyTerms) -> HttpRequest:
        """What asks for a short-lived key, with the long-lived one of `address`."""
        raise NotImplementedError(f"dialect {cls.name} has no short-lived keys")

    @classmethod
    def short_key(cls, body: bytes) -> ShortKey:
        """The key in the body of a good answer; raises `ValueError`, which repeats none of it, when there is none."""
        raise NotImplementedError(f"dialect {cls.name} has no short-lived keys")

    @classmethod
    def endpoint_with(cls, address: Address, key: ShortKey) -> Endpoint:
        """As `endpoint`, with the short-lived key in the place of the long-lived one."""
        raise NotImplementedError(f"dialect {cls.name} has no short-lived keys")

    def renew(self) -> None:
        """The session is over and the call goes on in a new one; `opening` is asked for next."""
        self._outbox = []

    @property
    def resumes(self) -> bool:
        """After `renew`: the server will go on with the context of the session before."""
        return False

    # intents -> messages

    @abstractmethod
    def opening(self) -> Sequence[WireMessage]:
        """Messages to send as soon as the channel is open: the configuration."""

    @abstractmethod
    def audio_message(self, payload: bytes) -> WireMessage:
        """The message that carries one frame of caller audio."""

    def start_of_turn(self, turn: int) -> Sequence[WireMessage]:
        """Messages that open the caller's turn `turn`, before its first audio; empty where the audio says it."""
        return ()

    def end_of_turn(self, turn: int) -> Sequence[WireMessage]:
        """Messages that close the caller's turn `turn` and ask for a reply; empty where the server decides."""
        return ()

    def press(self, key: str) -> Sequence[WireMessage]:
        """Messages of a key that the caller presses on a telephone; empty where there are none."""
        return ()

    def closing(self) -> Sequence[WireMessage]:
        """Messages that go before the caller hangs up; empty where nothing is said."""
        return ()

    def ask_to_speak(self, step: int) -> Sequence[WireMessage]:
        """Messages that ask the agent to speak although the caller said nothing; empty where that cannot be asked."""
        return ()

    def retell(self, role: Literal["user", "assistant"], words: str) -> Sequence[WireMessage]:
        """Messages that tell a new session what was said in the one before; empty where that cannot be told."""
        return ()

    def cancel_reply(self, response_id: str | None) -> Sequence[WireMessage]:
        """Messages that ask the server to stop a response; empty where that cannot be asked."""
        return ()

    def truncate(self, item_id: str, heard_ms: int) -> Sequence[WireMessage]:
        """Messages that tell the server how much was heard of an item of its reply; empty where nobody asks."""
        return ()

    def tool_result(self, call_id: str, output: str) -> Sequence[WireMessage]:
        """Messages that bring the result of a tool call; empty where the protocol has no tools."""
        return ()

    def reply_to_tools(self, turn: int | None) -> Sequence[WireMessage]:
        """Messages that ask for the reply once all results are there; empty where the server goes on by itself."""
        return ()

    def post(self, message: WireMessage) -> None:
        """Put `message` into the outbox."""
        self._outbox.append(message)

    def data_to_send(self) -> Sequence[WireMessage]:
        """Empty the outbox. A call asks after every message it received and after every tick."""
        if not self._outbox:
            return ()
        messages, self._outbox = self._outbox, []
        return messages

    # messages -> signals

    @abstractmethod
    def receive(self, data: str | bytes, at_ns: int) -> Sequence[Signal]:
        """The signals in one message that arrived at `at_ns`; never raises on what a server may send."""

    def receive_media(self, payload: bytes, at_ns: int) -> Sequence[Signal]:
        """The signals in reply audio that a transport carried apart from the messages."""
        samples = len(payload) // self.output_format.bytes_per_sample
        return (AudioDelta(at_ns, None, None, samples, len(payload), payload),)

    def next_tick_ns(self) -> int | None:
        """When to call `tick` (monotonic ns); None for never. For protocols in which silence means something."""
        return None

    def tick(self, now_ns: int) -> Sequence[Signal]:
        """What follows from the time that has passed; signals bear the instant at which it became true."""
        return ()

    def refuses_turn(self, error: ErrorInfo, turn: int) -> bool:
        """Whether `error` is the server's refusal of what `end_of_turn(turn)` asked for."""
        return False

    def refuses_reply(self, error: ErrorInfo, turn: int) -> bool:
        """Whether after `error`, which refuses `turn`, no reply to it can come any more."""
        return self.refuses_turn(error, turn)

    def refuses_session(self, error: ErrorInfo) -> bool:
        """Whether `error`, which came before the session was ready, is the server's refusal of the configuration."""
        return False

    def while_not_ready(self) -> str:
        """What a call that was not acknowledged in time may lack, for its message."""
        return "the session was not acknowledged in time"

    def while_silent(self) -> str:
        """The same of a call to a server that sent nothing at all."""
        return when_silent(self.while_not_ready())

    def when_refused(self, failure: Failure) -> Failure:
        """The failure of a handshake, with what it says of a wrong dialect."""
        status = failure.http_status
        if failure.stage != "upgrade" or status not in _NOTHING_THERE or failure.error_code not in _NOT_SPECIFIC:
            return failure
        return replace(failure, message=when_no_websocket(status, failure.message or "empty"))

    def audio_bytes(self, delta: AudioDelta) -> bytes:
        """The audio of `delta` as it was sent, without any other wrapping; raises `ValueError` when it has none."""
        data = delta.encoded or b""
        return data if isinstance(data, bytes) else data.encode()

    def decode_audio(self, delta: AudioDelta) -> NDArray[np.int16]:
        """The samples of `delta`, in order of arrival; raises `ValueError` when they are not audio."""
        return self.output_format.decode(self.audio_bytes(delta))
