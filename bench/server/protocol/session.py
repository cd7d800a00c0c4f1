"""One realtime session: client events and engine results in, server events and commands out (`Actions` for each).

Pure: no socket, clock or task. Whoever owns those feeds it with `handle_text`, `transcript`, `reply_*`, `idle` and
`expire`, sends `Actions.events` in order and then carries out `Actions.commands`.
Trap: the id of a user item is fixed when speech starts, long before the item exists; the recogniser's audio,
the `speech_started` event and the committed item all carry that id.
"""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Callable, Iterable
from typing import Any

import orjson

from bench.audio.formats import AudioFormat
from bench.server.protocol import commands, config
from bench.server.protocol.checks import given
from bench.server.protocol.client_errors import ProtocolError, invalid_choice, invalid_type, missing
from bench.server.protocol.client_items import decode_base64
from bench.server.protocol.commands import Actions, Event
from bench.server.protocol.input_audio import (
    CommittedAudio,
    InputAudio,
    InputEvent,
    SpeechAudio,
    SpeechBegan,
    SpeechEnded,
)
from bench.server.protocol.item_requests import ItemRequests
from bench.server.protocol.items import RETAINED_AUDIO_BYTES, Conversation, Item, Part
from bench.server.protocol.responses import Ending, Response, Responses
from bench.server.protocol.resumption import KeptConversations
from bench.server.protocol.shapes.shape import Shape
from bench.server.protocol.usage import transcription_usage, words

MAX_APPEND_BYTES = 15 * 1024 * 1024
LIFETIME_S = 3600

RateLimits = Callable[[int], list[dict[str, Any]]]  # tokens just used -> the `rate_limits` array


class Session:
    """The state of one connection; see the module's text for how it is driven."""

    def __init__(
        self,
        *,
        model: str,
        created_at_s: int,
        shape: Shape | None = None,
        settings: config.Json | None = None,
        model_open: bool = False,
        lifetime_s: int = LIFETIME_S,
        rate_limits: RateLimits | None = None,
        seed: str | None = None,
        input_audio: Callable[[AudioFormat, config.Json | None], InputAudio] = InputAudio,
        retained_audio_bytes: int = RETAINED_AUDIO_BYTES,
        kept: KeptConversations | None = None,
    ) -> None:
        """`model_open`: the caller named no model, so that its first update may. `kept`: what can be resumed."""
        self._shape = shape or Shape()
        self._id_base = seed if seed is not None else secrets.token_hex(6)
        self._counter = itertools.count(1)
        self.id = self._new_id("sess")
        self._expires_at_s = created_at_s + lifetime_s
        self._lifetime_s = lifetime_s
        self.settings = settings or config.default_session(model)
        self._answers = self.settings["type"] == config.REALTIME
        self._model_open = model_open
        self._rate_limits = rate_limits
        self._conversation = Conversation(retained_audio_bytes)
        self.input = input_audio(self._input_format, self._turn_detection)
        self._speech_item: str | None = None  # the item that the caller's present speech will become
        self._has_spoken = False
        self._arrived_ns = 0  # of the message that is being handled
        self._partly: set[str] = set()  # items of which words were sent before they were complete
        self._transcribing: dict[str, tuple[str, float]] = {}  # item id -> transcription model, audio ms
        self._responses = Responses(self._conversation, self._new_id, self._event)
        self._items = ItemRequests(self._conversation, self._new_id, self._event, self._audio_formats, self._forget)
        self._handlers: dict[str, Callable[[Event, Actions], None]] = {
            "session.update": self._update,
            "input_audio_buffer.append": self._append,
            "input_audio_buffer.commit": self._commit,
            "input_audio_buffer.clear": self._clear,
            "conversation.item.retrieve": self._items.retrieve,
            "conversation.item.delete": self._items.delete,
        }
        self._kept = kept
        if self._shape.resumes:
            self._handlers["session.resume"] = self._resume
        if self._answers:
            self._handlers |= {
                "conversation.item.create": self._items.create,
                "conversation.item.truncate": self._items.truncate,
                "response.create": self._create_response,
                "response.cancel": self._cancel_response,
            }

    # -- inputs

    def open(self) -> Actions:
        """The first event of a session."""
        return Actions([self._event("session.created", session=self._effective())])

    def handle_text(self, text: str | bytes, at_ns: int = 0) -> Actions:
        """One client message as it came off the socket at `at_ns`."""
        self._arrived_ns = at_ns
        try:
            event = orjson.loads(text)
        except orjson.JSONDecodeError as error:
            message = f"We could not parse the JSON of your event: {error}."
            return self.error(ProtocolError(message, code="invalid_json"))
        return self.read(event)

    def read(self, message: object) -> Actions:
        """One decoded message of this connection's shape."""
        try:
            events = list(self._shape.incoming(message))
        except ProtocolError as problem:
            given_id = message.get("event_id") if isinstance(message, dict) else None
            event_id = given_id if isinstance(given_id, str) else None
            return Actions([self._event("error", error=problem.body(event_id))])
        actions = Actions()
        for event in events:
            found = self.handle(event)
            actions.events += found.events
            actions.commands += found.commands
        return actions

    def handle(self, event: object) -> Actions:
        """One decoded client event."""
        actions = Actions()
        event_id: str | None = None
        try:
            if not isinstance(event, dict):
                raise invalid_type("event", "an object", event)
            event = given(event)
            given_id = event.get("event_id")
            event_id = given_id if isinstance(given_id, str) else None
            kind = event.get("type")
            if kind is None:
                raise missing("type")
            handler = self._handlers.get(kind) if isinstance(kind, str) else None
            if handler is None:
                raise invalid_choice("type", kind, self._handlers)
            handler(event, actions)
        except ProtocolError as problem:
            actions.events.append(self._event("error", error=problem.body(event_id)))
        return actions

    def partial(self, item_id: str, text: str, *, whole: bool = False) -> Actions:
        """Words of audio that is still spoken, or not written down to its end: a piece, or the `whole` text so far."""
        if self.settings["audio"]["input"]["transcription"] is None:
            return Actions()
        if item_id != self._speech_item and item_id not in self._transcribing:
            return Actions()
        self._partly.add(item_id)
        field = {"transcript": text} if whole else {"delta": text}
        kind = f"conversation.item.input_audio_transcription.{'updated' if whole else 'delta'}"
        return Actions([self._event(kind, item_id=item_id, content_index=0, **field)])

    def transcript(self, item_id: str, text: str) -> Actions:
        """The recogniser's words for committed audio; nothing when transcription is off or the item is gone."""
        wanted = self._transcribing.pop(item_id, None)
        item = self._conversation.find(item_id)
        if wanted is None or item is None:
            return Actions()
        model, audio_ms = wanted
        item.parts[0].text = text
        # whisper-1 says everything in one delta; the newer transcribers stream
        deltas = [text] if model == "whisper-1" or not text else words(text)
        if item_id in self._partly:
            self._partly.discard(item_id)
            deltas = []  # they were sent before
        kind = "conversation.item.input_audio_transcription"
        events = [
            self._event(f"{kind}.delta", item_id=item_id, content_index=0, delta=delta) for delta in deltas if delta
        ]
        usage = transcription_usage(model, audio_ms=audio_ms, transcript=text)
        done = self._event(f"{kind}.completed", item_id=item_id, content_index=0, transcript=text, usage=usage)
        return Actions([*events, done])

    def transcript_failed(self, item_id: str, message: str) -> Actions:
        """The recogniser gave up on committed audio."""
        if self._transcribing.pop(item_id, None) is None:
            return Actions()
        error = {"type": "server_error", "code": "transcription_failed", "message": message, "param": None}
        kind = "conversation.item.input_audio_transcription.failed"
        return Actions([self._event(kind, item_id=item_id, content_index=0, error=error)])

    def reply_text(self, response_id: str, delta: str) -> Actions:
        """The engine's next words; nothing once the response has ended."""
        response = self._responses.get(response_id)
        return self._said(response, response.text(delta)) if response is not None and delta else Actions()

    def reply_audio(self, response_id: str, data: bytes, in_base64: str | None = None) -> Actions:
        """The engine's next sound, encoded in the response's format; `in_base64` where the caller has that already."""
        response = self._responses.get(response_id)
        if response is None or not data or response.modality == "text":
            return Actions()
        self._has_spoken = True
        return self._said(response, response.audio(data, in_base64))

    def reply_call(self, response_id: str, name: str, arguments: str) -> Actions:
        """The engine calls a function of the client's; nothing once the response has ended."""
        response = self._responses.get(response_id)
        if response is None:
            return Actions()
        ids = {"item_id": self._new_id("item"), "call_id": self._new_id("call")}
        return self._said(response, response.call(name, arguments, **ids, pieces=words(arguments)))

    def reply_ended(self, response_id: str, ending: Ending) -> Actions:
        """The engine is finished with this response; nothing if it had ended before."""
        actions = Actions()
        response = self._responses.get(response_id)
        if response is not None:
            self._end_response(response, ending, actions)
        return actions

    def is_replying(self, response_id: str) -> bool:
        """Whether that response is still in progress."""
        return self._responses.get(response_id) is not None

    def heard(self, found: Iterable[InputEvent]) -> Actions:
        """What was found in the caller's audio: speech edges and complete stretches of it."""
        actions = Actions()
        self._input_events(found, actions)
        return actions

    def idle(self) -> Actions:
        """The caller said nothing for `idle_timeout_ms` after the last reply: answer the silence."""
        detection = self._turn_detection
        if detection is None or self.input.speaking or self._responses.active is not None:
            return Actions()
        actions = Actions()
        item_id = self._new_id("item")
        audio, start_ms, end_ms = self.input.take_silence()
        actions.commands.append(commands.OpenInput(item_id, self.input.format.rate_hz))
        fields = {"audio_start_ms": start_ms, "audio_end_ms": end_ms, "item_id": item_id}
        actions.events.append(self._event("input_audio_buffer.timeout_triggered", **fields))
        self._add_audio(item_id, audio, actions)
        self._start_response({}, actions)
        return actions

    def speak(self) -> Actions:
        """The agent speaks although nobody said anything; nothing while it speaks already."""
        actions = Actions()
        if self._answers and self._responses.active is None:
            self._start_response({}, actions)
        return actions

    def announce_end(self, left_ms: float) -> Actions:
        """The session will be ended in so long; nothing where this shape has no word for that."""
        return Actions([self._event("session.ending", left_ms=left_ms)] if self._shape.announces_end else [])

    def expire(self) -> Actions:
        """The session has reached its maximum duration."""
        minutes = self._lifetime_s / 60
        actions = self.error(
            ProtocolError(f"Your session hit the maximum duration of {minutes:g} minutes.", code="session_expired")
        )
        actions.commands.append(commands.CloseSocket(1001, "invalid_request_error.session_expired"))
        return actions

    def error(self, problem: ProtocolError) -> Actions:
        """An error that answers no particular client event."""
        return Actions([self._event("error", error=problem.body())])

    # -- session and input audio

    def _resume(self, event: Event, actions: Actions) -> None:
        """Go on with the conversation that a handle names, and from now on give handles for this one."""
        handle = event.get("handle")
        if self._kept is None:
            raise ProtocolError("Session resumption is not available.", code="invalid_argument")
        if handle is not None:
            before = self._kept.find(handle)
            if before is None:
                raise ProtocolError("The session resumption handle is not valid.", code="invalid_argument")
            items = self._conversation.adopt(before)
            actions.events.append(self._event("session.resumed", resumed=handle, items=items))
        self._kept.keep(self.id, self._conversation)
        actions.events.append(self._event("session.resumable", handle=self.id))

    def _update(self, event: Event, actions: Actions) -> None:
        if "session" not in event:
            raise missing("session")
        update = event["session"]
        merged = config.merged(self.settings, update, voice_locked=self._has_spoken, model_open=self._model_open)
        self.settings = self._shape.settled(merged)
        self._model_open = self._model_open and update.get("model") is None
        if self.input.format != self._input_format:
            self._drop_speech(actions)
        self.input.configure(self._input_format, self._turn_detection)
        actions.events.append(self._event("session.updated", session=self._effective()))

    def _append(self, event: Event, actions: Actions) -> None:
        audio = event.get("audio")
        if not isinstance(audio, str):
            raise missing("audio") if audio is None else invalid_type("audio", "a string", audio)
        if len(audio) > MAX_APPEND_BYTES:
            message = (
                f"Invalid 'audio': string too long. Expected a string with maximum length {MAX_APPEND_BYTES}, "
                f"but got a string with length {len(audio)} instead."
            )
            raise ProtocolError(message, code="string_above_max_length", param="audio")
        self._input_events(
            self.input.append(decode_base64(audio, "audio", self.input.format), self._arrived_ns), actions
        )

    def _input_events(self, found: Iterable[InputEvent], actions: Actions) -> None:
        for one in found:
            if isinstance(one, SpeechAudio):
                if self._speech_item is not None:
                    actions.commands.append(commands.FeedInput(self._speech_item, one.pcm))
            elif isinstance(one, SpeechBegan):
                self._speech_started(one, actions)
            elif isinstance(one, SpeechEnded):
                actions.events.append(
                    self._event("input_audio_buffer.speech_stopped", audio_end_ms=one.at_ms, item_id=self._speech_item)
                )
            else:
                self._turn_ended(one, actions)

    def _speech_started(self, started: SpeechBegan, actions: Actions) -> None:
        if self._speech_item is None:
            self._speech_item = self._new_id("item")
            actions.commands.append(commands.OpenInput(self._speech_item, self.input.format.rate_hz))
        detection = self._turn_detection
        if detection is None:
            return
        actions.commands.append(commands.SetIdleTimer(None))
        actions.events.append(
            self._event("input_audio_buffer.speech_started", audio_start_ms=started.at_ms, item_id=self._speech_item)
        )
        active = self._responses.get(self._responses.active)
        if active is not None and detection["interrupt_response"]:
            self._stop_response(active, Ending("cancelled", "turn_detected"), actions)

    def _turn_ended(self, audio: CommittedAudio, actions: Actions) -> None:
        detection = self._turn_detection
        self._add_audio(self._committed_item(actions), audio, actions)
        if detection is None or not detection["create_response"] or not self._answers:
            return
        try:
            self._start_response({}, actions)
        except ProtocolError as problem:  # a response that may not be interrupted is still running
            actions.events.append(self._event("error", error=problem.body()))

    def _commit(self, _event: Event, actions: Actions) -> None:
        audio = self.input.commit()
        self._add_audio(self._committed_item(actions), audio, actions)

    def _clear(self, _event: Event, actions: Actions) -> None:
        self.input.clear()
        self._drop_speech(actions)
        actions.events.append(self._event("input_audio_buffer.cleared"))

    def _committed_item(self, actions: Actions) -> str:
        """The id of the audio to commit; silence was never opened for the engine until now."""
        item_id, self._speech_item = self._speech_item, None
        if item_id is None:
            item_id = self._new_id("item")
            actions.commands.append(commands.OpenInput(item_id, self.input.format.rate_hz))
        return item_id

    def _drop_speech(self, actions: Actions) -> None:
        if self._speech_item is not None:
            actions.commands.append(commands.DropInput(self._speech_item))
            self._speech_item = None

    def _add_audio(self, item_id: str, audio: CommittedAudio, actions: Actions) -> None:
        """The audio becomes a user item at the end of the conversation."""
        item = Item(item_id, "message", "user", parts=[Part("input_audio", None, audio.audio, audio.audio_ms)])
        previous = self._conversation.insert(item, None)
        actions.events.append(self._event("input_audio_buffer.committed", previous_item_id=previous, item_id=item_id))
        self._items.added(item, previous, actions)
        transcription = self.settings["audio"]["input"]["transcription"]
        if transcription is not None:
            self._transcribing[item.id] = (transcription["model"], item.parts[0].audio_ms)
        actions.commands.append(commands.CommitInput(item.id, transcribe=transcription is not None))

    # -- responses

    def _create_response(self, event: Event, actions: Actions) -> None:
        overrides = event.get("response")
        if overrides is not None and not isinstance(overrides, dict):
            raise invalid_type("response", "an object", overrides)
        self._start_response(overrides or {}, actions)

    def _start_response(self, overrides: config.Json, actions: Actions) -> None:
        response, request, new_items = self._responses.start(self.settings, overrides, self.input.format)
        for item in new_items:
            self._items.hear(item, actions)
        actions.events += response.created()
        actions.commands += [commands.SetIdleTimer(None), request]

    def _cancel_response(self, event: Event, actions: Actions) -> None:
        response = self._responses.get(event.get("response_id") or self._responses.active)
        if response is None:
            raise ProtocolError("Cancellation failed: no active response found", code="response_cancel_not_active")
        self._stop_response(response, Ending("cancelled", "client_cancelled"), actions)

    def _said(self, response: Response, events: list[Event]) -> Actions:
        """More of a response, which may have reached its limit with it."""
        actions = Actions(events)
        if response.over_limit:
            self._stop_response(response, Ending("incomplete", "max_output_tokens"), actions)
        return actions

    def _stop_response(self, response: Response, ending: Ending, actions: Actions) -> None:
        """End a response that the engine is still working on."""
        self._end_response(response, ending, actions)
        actions.commands.append(commands.StopReply(response.id))

    def _end_response(self, response: Response, ending: Ending, actions: Actions) -> None:
        events = self._responses.end(response, ending)
        actions.events += events
        if self._kept is not None and self._kept.keeps(self.id):
            actions.events.append(self._event("session.resumable", handle=self.id))
        if self._rate_limits is not None:
            limits = self._rate_limits(int(events[-1]["response"]["usage"]["total_tokens"]))
            actions.events.append(self._event("rate_limits.updated", rate_limits=limits))
        idle_ms = (self._turn_detection or {}).get("idle_timeout_ms")
        if idle_ms is not None and response.conversation is not None and ending.status == "completed":
            actions.commands.append(commands.SetIdleTimer(response.audio_ms + idle_ms))

    # -- helpers

    @property
    def _turn_detection(self) -> config.Json | None:
        detection: config.Json | None = self.settings["audio"]["input"]["turn_detection"]
        return detection

    @property
    def _input_format(self) -> AudioFormat:
        return config.audio_format(self.settings["audio"]["input"]["format"], self._shape.pcm_in_hz)

    def _audio_formats(self) -> tuple[AudioFormat, AudioFormat]:
        """Of the caller's audio, and of the assistant's."""
        return self.input.format, config.audio_format(self.settings["audio"]["output"]["format"])

    def _forget(self, item_id: str) -> None:
        self._transcribing.pop(item_id, None)

    def _effective(self) -> config.Json:
        return config.shown(self.settings, self.id, self._expires_at_s)

    def _event(self, kind: str, **fields: Any) -> Event:
        return {"type": kind, "event_id": self._new_id("event"), **fields}

    def _new_id(self, prefix: str) -> str:
        return f"{prefix}_{self._id_base}{next(self._counter):06x}"
