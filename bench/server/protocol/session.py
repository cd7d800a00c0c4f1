"""One realtime session: client events and engine results in, server events and commands out (a `Step` each).

Pure: no socket, clock or task. Whoever owns those feeds it with `handle_text`, `transcript`, `reply_*`, `idle` and
`expire`, sends `Step.events` in order and then carries out `Step.commands`.
Trap: the id of a user item is fixed when speech starts, long before the item exists; the recogniser's take, the
`speech_started` event and the committed item all carry that id.
"""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Callable, Iterable
from typing import Any

import orjson

from bench.audio.formats import AudioFormat
from bench.server.protocol import config
from bench.server.protocol.commands import (
    CloseSocket,
    CommitTake,
    DropTake,
    Event,
    FeedTake,
    OpenTake,
    SetIdleTimer,
    Step,
    StopReply,
)
from bench.server.protocol.errors import ProtocolError, invalid_choice, invalid_type, missing
from bench.server.protocol.input_audio import Heard, InputAudio, Outcome, SpeechStarted, SpeechStopped, Take
from bench.server.protocol.items import (
    RETAINED_AUDIO_BYTES,
    Conversation,
    Item,
    Part,
    decode_base64,
    parse_item,
)
from bench.server.protocol.replies import Replies
from bench.server.protocol.response import Ending
from bench.server.protocol.usage import transcription_usage

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
        settings: config.Json | None = None,
        lifetime_s: int = LIFETIME_S,
        rate_limits: RateLimits | None = None,
        seed: str | None = None,
        input_audio: Callable[[AudioFormat, config.Json | None], InputAudio] = InputAudio,
        retained_audio_bytes: int = RETAINED_AUDIO_BYTES,
    ) -> None:
        self._id_base = seed if seed is not None else secrets.token_hex(6)
        self._counter = itertools.count(1)
        self.id = self._new_id("sess")
        self._expires_at_s = created_at_s + lifetime_s
        self._lifetime_s = lifetime_s
        self.settings = settings or config.default_session(model)
        self._rate_limits = rate_limits
        self._conversation = Conversation(retained_audio_bytes)
        self._input = input_audio(self._input_format, self._turn_detection)
        self._take_id: str | None = None  # the item that the caller's present speech will become
        self._transcribing: dict[str, tuple[str, float]] = {}  # item id -> transcription model, audio ms
        self._replies = Replies(self._conversation, self._new_id, self._event)
        self._handlers: dict[str, Callable[[Event, Step], None]] = {
            "session.update": self._update,
            "input_audio_buffer.append": self._append,
            "input_audio_buffer.commit": self._commit,
            "input_audio_buffer.clear": self._clear,
            "conversation.item.create": self._create_item,
            "conversation.item.retrieve": self._retrieve_item,
            "conversation.item.truncate": self._truncate_item,
            "conversation.item.delete": self._delete_item,
            "response.create": self._create_response,
            "response.cancel": self._cancel_response,
        }

    # -- inputs

    def open(self) -> Step:
        """The first event of a session."""
        return Step([self._event("session.created", session=self._effective())])

    def handle_text(self, text: str | bytes) -> Step:
        """One client message as it came off the socket."""
        try:
            event = orjson.loads(text)
        except orjson.JSONDecodeError as error:
            message = f"We could not parse the JSON of your event: {error}."
            return self.error(ProtocolError(message, code="invalid_json"))
        return self.handle(event)

    def handle(self, event: object) -> Step:
        """One decoded client event."""
        step = Step()
        event_id: str | None = None
        try:
            if not isinstance(event, dict):
                raise invalid_type("event", "an object", event)
            given_id = event.get("event_id")
            event_id = given_id if isinstance(given_id, str) else None
            kind = event.get("type")
            if kind is None:
                raise missing("type")
            handler = self._handlers.get(kind) if isinstance(kind, str) else None
            if handler is None:
                raise invalid_choice("type", kind, self._handlers)
            handler(event, step)
        except ProtocolError as problem:
            step.events.append(self._event("error", error=problem.body(event_id)))
        return step

    def transcript(self, item_id: str, text: str) -> Step:
        """The recogniser's words for a committed take; nothing when transcription is off or the item is gone."""
        wanted = self._transcribing.pop(item_id, None)
        item = self._conversation.find(item_id)
        if wanted is None or item is None:
            return Step()
        model, audio_ms = wanted
        item.parts[0].text = text
        # whisper-1 says everything in one delta; the newer transcribers stream
        deltas = [text] if model == "whisper-1" or not text else _words(text)
        kind = "conversation.item.input_audio_transcription"
        events = [
            self._event(f"{kind}.delta", item_id=item_id, content_index=0, delta=delta) for delta in deltas if delta
        ]
        usage = transcription_usage(model, audio_ms=audio_ms, transcript=text)
        done = self._event(f"{kind}.completed", item_id=item_id, content_index=0, transcript=text, usage=usage)
        return Step([*events, done])

    def transcript_failed(self, item_id: str, message: str) -> Step:
        """The recogniser gave up on a committed take."""
        if self._transcribing.pop(item_id, None) is None:
            return Step()
        error = {"type": "server_error", "code": "transcription_failed", "message": message, "param": None}
        kind = "conversation.item.input_audio_transcription.failed"
        return Step([self._event(kind, item_id=item_id, content_index=0, error=error)])

    def reply_text(self, response_id: str, delta: str) -> Step:
        """The engine's next words; nothing once the response has ended."""
        return self._after_piece(response_id, self._replies.text(response_id, delta))

    def reply_audio(self, response_id: str, data: bytes, in_base64: str | None = None) -> Step:
        """The engine's next sound, encoded in the response's format; `in_base64` where the caller has that already."""
        return self._after_piece(response_id, self._replies.audio(response_id, data, in_base64))

    def reply_ended(self, response_id: str, ending: Ending) -> Step:
        """The engine is finished with this response; nothing if it had ended before."""
        step = Step()
        self._end_response(response_id, ending, step)
        return step

    def is_replying(self, response_id: str) -> bool:
        """Whether that response is still in progress."""
        return self._replies.knows(response_id)

    def heard(self, outcomes: Iterable[Outcome]) -> Step:
        """What a detector outside of the input buffer found: speech edges and complete takes."""
        step = Step()
        self._take_outcomes(outcomes, step)
        return step

    def idle(self) -> Step:
        """The caller said nothing for `idle_timeout_ms` after the last reply: answer the silence."""
        detection = self._turn_detection
        if detection is None or self._input.speaking or self._replies.active is not None:
            return Step()
        step = Step()
        item_id = self._new_id("item")
        take, start_ms, end_ms = self._input.take_silence()
        step.commands.append(OpenTake(item_id, self._input.format.rate_hz))
        step.events.append(
            self._event(
                "input_audio_buffer.timeout_triggered", audio_start_ms=start_ms, audio_end_ms=end_ms, item_id=item_id
            )
        )
        self._add_take(item_id, take, step)
        self._start_response({}, step)
        return step

    def expire(self) -> Step:
        """The session has reached its maximum duration."""
        minutes = self._lifetime_s / 60
        step = self.error(
            ProtocolError(f"Your session hit the maximum duration of {minutes:g} minutes.", code="session_expired")
        )
        step.commands.append(CloseSocket(1001, "invalid_request_error.session_expired"))
        return step

    def error(self, problem: ProtocolError) -> Step:
        """An error that answers no particular client event."""
        return Step([self._event("error", error=problem.body())])

    # -- session and input audio

    def _update(self, event: Event, step: Step) -> None:
        if "session" not in event:
            raise missing("session")
        self.settings = config.merged(self.settings, event["session"], voice_locked=self._replies.has_spoken)
        if self._input.format is not self._input_format:
            self._drop_take(step)
        self._input.configure(self._input_format, self._turn_detection)
        step.events.append(self._event("session.updated", session=self._effective()))

    def _append(self, event: Event, step: Step) -> None:
        audio = event.get("audio")
        if not isinstance(audio, str):
            raise missing("audio") if audio is None else invalid_type("audio", "a string", audio)
        if len(audio) > MAX_APPEND_BYTES:
            raise ProtocolError(
                f"Invalid 'audio': string too long. Expected a string with maximum length {MAX_APPEND_BYTES}, "
                f"but got a string with length {len(audio)} instead.",
                code="string_above_max_length",
                param="audio",
            )
        self._take_outcomes(self._input.append(decode_base64(audio, "audio", self._input.format)), step)

    def _take_outcomes(self, outcomes: Iterable[Outcome], step: Step) -> None:
        for outcome in outcomes:
            if isinstance(outcome, Heard):
                if self._take_id is not None:
                    step.commands.append(FeedTake(self._take_id, outcome.pcm))
            elif isinstance(outcome, SpeechStarted):
                self._speech_started(outcome, step)
            elif isinstance(outcome, SpeechStopped):
                step.events.append(
                    self._event("input_audio_buffer.speech_stopped", audio_end_ms=outcome.at_ms, item_id=self._take_id)
                )
            else:
                self._turn_ended(outcome, step)

    def _speech_started(self, started: SpeechStarted, step: Step) -> None:
        if self._take_id is None:
            self._take_id = self._new_id("item")
            step.commands.append(OpenTake(self._take_id, self._input.format.rate_hz))
        detection = self._turn_detection
        if detection is None:
            return
        step.commands.append(SetIdleTimer(None))
        step.events.append(
            self._event("input_audio_buffer.speech_started", audio_start_ms=started.at_ms, item_id=self._take_id)
        )
        active = self._replies.active
        if active is not None and detection["interrupt_response"]:
            self._end_response(active, Ending("cancelled", "turn_detected"), step)
            step.commands.append(StopReply(active))

    def _turn_ended(self, take: Take, step: Step) -> None:
        detection = self._turn_detection
        self._add_take(self._open_take(step), take, step)
        if detection is None or not detection["create_response"]:
            return
        try:
            self._start_response({}, step)
        except ProtocolError as problem:  # a response that may not be interrupted is still running
            step.events.append(self._event("error", error=problem.body()))

    def _commit(self, _event: Event, step: Step) -> None:
        take = self._input.commit()
        self._add_take(self._open_take(step), take, step)

    def _clear(self, _event: Event, step: Step) -> None:
        self._input.clear()
        self._drop_take(step)
        step.events.append(self._event("input_audio_buffer.cleared"))

    def _open_take(self, step: Step) -> str:
        """The id of the take to commit; a silent one was never opened for the engine until now."""
        take_id, self._take_id = self._take_id, None
        if take_id is None:
            take_id = self._new_id("item")
            step.commands.append(OpenTake(take_id, self._input.format.rate_hz))
        return take_id

    def _drop_take(self, step: Step) -> None:
        if self._take_id is not None:
            step.commands.append(DropTake(self._take_id))
            self._take_id = None

    def _add_take(self, item_id: str, take: Take, step: Step) -> None:
        """The take becomes a user item at the end of the conversation."""
        item = Item(item_id, "message", "user", parts=[Part("input_audio", None, take.audio, take.audio_ms)])
        previous = self._conversation.insert(item, None)
        shown = item.wire()
        step.events += [
            self._event("input_audio_buffer.committed", previous_item_id=previous, item_id=item_id),
            self._event("conversation.item.added", previous_item_id=previous, item=shown),
            self._event("conversation.item.done", previous_item_id=previous, item=shown),
        ]
        self._commit_take(item, step)

    def _commit_take(self, item: Item, step: Step) -> None:
        transcription = self.settings["audio"]["input"]["transcription"]
        if transcription is not None:
            self._transcribing[item.id] = (transcription["model"], item.parts[0].audio_ms)
        step.commands.append(CommitTake(item.id, transcribe=transcription is not None))

    # -- conversation items

    def _create_item(self, event: Event, step: Step) -> None:
        item = parse_item(event.get("item"), item_id=self._new_id("item"), audio_format=self._input.format)
        after = event.get("previous_item_id")
        if after not in (None, "root") and self._conversation.find(after) is None:
            raise _no_item("create", after, "previous_item_id")
        if self._conversation.find(item.id) is not None:
            raise ProtocolError(
                f"Error creating item: an item with id '{item.id}' already exists.",
                code="item_create_duplicate_id",
                param="item.id",
            )
        previous = self._conversation.insert(item, after)
        self._hear_item(item, step)
        shown = item.wire()
        step.events += [
            self._event("conversation.item.added", previous_item_id=previous, item=shown),
            self._event("conversation.item.done", previous_item_id=previous, item=shown),
        ]

    def _hear_item(self, item: Item, step: Step) -> None:
        """Audio that a client brings inside an item is a take that was never streamed."""
        part = next((part for part in item.parts if part.kind == "input_audio"), None)
        if part is None:
            return
        pcm = AudioFormat.PCM16.encode(self._input.format.decode(part.audio[: len(part.audio) // 2 * 2]))
        step.commands += [OpenTake(item.id, self._input.format.rate_hz), FeedTake(item.id, pcm)]
        step.commands.append(CommitTake(item.id, transcribe=False))

    def _retrieve_item(self, event: Event, step: Step) -> None:
        item = self._named_item(event, "retrieve")
        step.events.append(self._event("conversation.item.retrieved", item=item.wire(with_audio=True)))

    def _truncate_item(self, event: Event, step: Step) -> None:
        item = self._named_item(event, "truncate")
        for key in ("content_index", "audio_end_ms"):
            value = event.get(key)
            if isinstance(value, bool) or not isinstance(value, int):
                raise missing(key) if key not in event else invalid_type(key, "an integer", value)
        if item.role != "assistant" or not item.parts or item.parts[0].kind != "output_audio":
            raise ProtocolError(
                "Only model output audio messages can be truncated.", code="invalid_value", param="item_id"
            )
        if event["content_index"] != 0:
            raise invalid_choice("content_index", event["content_index"], [0])
        held_ms = item.parts[0].audio_ms
        if not 0 <= event["audio_end_ms"] <= held_ms:
            raise ProtocolError(
                f"Audio content of {int(held_ms)}ms is already shorter than {event['audio_end_ms']}ms",
                code="invalid_value",
                param="audio_end_ms",
            )
        self._conversation.truncate(item, event["audio_end_ms"])
        step.events.append(
            self._event(
                "conversation.item.truncated", item_id=item.id, content_index=0, audio_end_ms=event["audio_end_ms"]
            )
        )

    def _delete_item(self, event: Event, step: Step) -> None:
        item = self._named_item(event, "delete")
        self._conversation.remove(item)
        self._transcribing.pop(item.id, None)
        step.commands.append(DropTake(item.id))
        step.events.append(self._event("conversation.item.deleted", item_id=item.id))

    def _named_item(self, event: Event, verb: str) -> Item:
        item_id = event.get("item_id")
        if item_id is None:
            raise missing("item_id")
        item = self._conversation.find(item_id)
        if item is None:
            raise _no_item(verb, item_id, "item_id")
        return item

    # -- responses

    def _create_response(self, event: Event, step: Step) -> None:
        overrides = event.get("response")
        if overrides is not None and not isinstance(overrides, dict):
            raise invalid_type("response", "an object", overrides)
        self._start_response(overrides or {}, step)

    def _start_response(self, overrides: config.Json, step: Step) -> None:
        started = self._replies.start(self.settings, overrides, self._input.format)
        for item in started.new_items:
            self._hear_item(item, step)
        step.commands.append(SetIdleTimer(None))
        step.events += started.events
        step.commands.append(started.command)

    def _cancel_response(self, event: Event, step: Step) -> None:
        wanted = event.get("response_id") or self._replies.active
        if wanted is None or not self._replies.knows(wanted):
            raise ProtocolError("Cancellation failed: no active response found", code="response_cancel_not_active")
        self._end_response(wanted, Ending("cancelled", "client_cancelled"), step)
        step.commands.append(StopReply(wanted))

    def _after_piece(self, response_id: str, events: list[Event]) -> Step:
        step = Step(events)
        if self._replies.over_limit(response_id):
            self._end_response(response_id, Ending("incomplete", "max_output_tokens"), step)
            step.commands.append(StopReply(response_id))
        return step

    def _end_response(self, response_id: str, ending: Ending, step: Step) -> None:
        ended = self._replies.end(response_id, ending)
        if ended is None:
            return
        step.events += ended.events
        if self._rate_limits is not None:
            limits = self._rate_limits(ended.total_tokens)
            step.events.append(self._event("rate_limits.updated", rate_limits=limits))
        idle_ms = (self._turn_detection or {}).get("idle_timeout_ms")
        if idle_ms is not None and ended.in_conversation and ending.status == "completed":
            step.commands.append(SetIdleTimer(ended.audio_ms + idle_ms))

    # -- helpers

    @property
    def _turn_detection(self) -> config.Json | None:
        detection: config.Json | None = self.settings["audio"]["input"]["turn_detection"]
        return detection

    @property
    def _input_format(self) -> AudioFormat:
        return config.audio_format(self.settings["audio"]["input"]["format"])

    def _effective(self) -> config.Json:
        return {"id": self.id, "object": "realtime.session", "expires_at": self._expires_at_s, **self.settings}

    def _event(self, kind: str, **fields: Any) -> Event:
        return {"type": kind, "event_id": self._new_id("event"), **fields}

    def _new_id(self, prefix: str) -> str:
        return f"{prefix}_{self._id_base}{next(self._counter):06x}"


def _words(text: str) -> list[str]:
    """Words with the space that follows them, so that their concatenation is the text."""
    words = text.split(" ")
    return [word + " " for word in words[:-1]] + words[-1:]


def _no_item(verb: str, item_id: object, param: str) -> ProtocolError:
    return ProtocolError(
        f"Error {verb.rstrip('e')}ing item: item with {param} '{item_id}' does not exist.",
        code=f"item_{verb}_invalid_{param}",
        param=param,
    )
