"""A reply as a list of actions with due times, and what faults make of that list.

In: what was drawn for a turn and its faults. Out: `ScheduledAction`s in order of time.
Trap: due times count from the end of the caller's speech. An action that is due in the past is carried out at once,
late and logged as such; those after it keep their own times.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

from bench.audio.formats import AudioFormat
from bench.server.engines.simulated.faults import Fault, Faults
from bench.server.protocol.client_errors import ProtocolError
from bench.server.protocol.responses import Ending
from bench.server.protocol.usage import words

TONE_HZ = 500
TONE_AMPLITUDE = 8_000


@dataclass(frozen=True, slots=True)
class AudioChunk:
    """Reply audio of one delta; `silent` of its `samples` come first."""

    data: bytes
    in_base64: str
    samples: int
    silent: int
    rate_hz: int


@dataclass(frozen=True, slots=True)
class WordsDelta:
    delta: str


@dataclass(frozen=True, slots=True)
class ToolCallMade:
    """A complete call of a function; `arguments` as they are sent."""

    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class RawMessage:
    """Bytes sent as a text message, whatever they are."""

    data: bytes
    what: str


@dataclass(frozen=True, slots=True)
class ExtraEvent:
    """An event outside of the session's order."""

    event: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Disconnect:
    """Close with `code`; None cuts the connection (`reset`: so that the peer's next write fails)."""

    code: int | None
    reset: bool = False


Action = WordsDelta | AudioChunk | ToolCallMade | Ending | RawMessage | ExtraEvent | Disconnect


@dataclass(frozen=True, slots=True)
class ScheduledAction:
    due_ms: float
    action: Action


@dataclass(frozen=True, slots=True)
class ReplyPlan:
    """What was drawn for one turn, in ms from the end of the caller's speech."""

    endpoint_ms: float
    first_token_ms: float
    first_audio_ms: float
    leading_silence_ms: float
    reply_ms: float
    chunk_ms: int
    gaps_ms: tuple[float, ...]
    """Between one delta and the next; the last is repeated."""
    text: str

    def ended_after(self, endpoint_ms: float) -> ReplyPlan:
        """The same with the end of the turn elsewhere; a reply to a turn that ends later is as much later."""
        later_ms = max(0.0, endpoint_ms - self.endpoint_ms)
        return replace(
            self,
            endpoint_ms=endpoint_ms,
            first_token_ms=self.first_token_ms + later_ms,
            first_audio_ms=self.first_audio_ms + later_ms,
        )


@lru_cache(maxsize=512)
def chunk(audio_format: AudioFormat, silent: int, samples: int) -> AudioChunk:
    """A stretch of silence and then tone, encoded once for all calls. The tone starts at full level."""
    rate_hz = audio_format.rate_hz
    tone = TONE_AMPLITUDE * np.cos(2 * np.pi * TONE_HZ / rate_hz * np.arange(samples - silent))
    pcm = np.concatenate((np.zeros(silent), tone)).astype(np.int16)
    data = audio_format.encode(pcm)
    return AudioChunk(data, base64.b64encode(data).decode("ascii"), samples, silent, rate_hz)


def reply_actions(plan: ReplyPlan, audio_format: AudioFormat, *, spoken: bool) -> list[ScheduledAction]:
    """The actions of a reply that goes well."""
    spoken_words = words(plan.text)
    if not spoken:
        first, last = plan.first_token_ms, plan.first_token_ms + 20.0 * max(0, len(spoken_words) - 1)
        acts = [ScheduledAction(first + 20.0 * place, WordsDelta(word)) for place, word in enumerate(spoken_words)]
        return [*acts, ScheduledAction(last, Ending("completed"))]
    acts = [ScheduledAction(plan.first_token_ms, WordsDelta(spoken_words[0]))] if spoken_words else []
    said, due_ms = min(1, len(spoken_words)), plan.first_audio_ms
    chunks = _chunks(plan, audio_format)
    for place, piece in enumerate(chunks):
        if place:
            due_ms += plan.gaps_ms[min(place - 1, len(plan.gaps_ms) - 1)]
        upto = -(-len(spoken_words) * (place + 1) // len(chunks))
        if upto > said:
            acts.append(ScheduledAction(max(due_ms, plan.first_token_ms), WordsDelta("".join(spoken_words[said:upto]))))
            said = upto
        acts.append(ScheduledAction(due_ms, piece))
    acts.sort(key=lambda act: act.due_ms)  # stable: words stay ahead of the sound of their time
    return [*acts, ScheduledAction(acts[-1].due_ms if acts else plan.first_audio_ms, Ending("completed"))]


def _chunks(plan: ReplyPlan, audio_format: AudioFormat) -> list[AudioChunk]:
    per_ms = audio_format.rate_hz // 1000
    total, silent = round(plan.reply_ms) * per_ms, round(plan.leading_silence_ms) * per_ms
    size = plan.chunk_ms * per_ms
    found = []
    for start in range(0, silent + total, size):
        samples = min(size, silent + total - start)
        found.append(chunk(audio_format, min(max(0, silent - start), samples), samples))
    return found


def with_faults(acts: list[ScheduledAction], faults: Faults) -> list[ScheduledAction]:
    """The actions as the faults of the turn change them."""
    if "no_reply" in faults:
        return []
    if (fault := faults.get("slow_first_byte")) is not None:
        delay_ms = fault.delay_ms(2_000)
        acts = [replace(act, due_ms=act.due_ms + delay_ms) for act in acts]
    if "silent_reply" in faults:
        acts = [act for act in acts if isinstance(act.action, Ending)]
    if (fault := faults.get("done")) is not None:
        acts = _ended_otherwise(acts, str(fault.chosen_status), fault.error_code)
    if "unknown_events" in faults and acts:
        stray = ExtraEvent({"type": "response.weather.delta", "event_id": "event_stray", "delta": {"wind": 3}})
        acts = [ScheduledAction(acts[0].due_ms, stray), *acts]
    for kind in ("broken_json", "error_event", "cut", "close", "stall"):
        if (fault := faults.get(kind)) is not None:
            acts = _interrupted(acts, kind, fault)
    return acts


def _ended_otherwise(acts: list[ScheduledAction], status: str, code: str | None) -> list[ScheduledAction]:
    """`failed` gives nothing; `incomplete` and `cancelled` break off in the middle."""
    if status == "failed":
        first = acts[0].due_ms if acts else 0.0
        ending = Ending.failed("server_error", code or "server_error", "The server had an error.")
        return [ScheduledAction(first, ending)]
    reason = code or ("max_output_tokens" if status == "incomplete" else "client_cancelled")
    half = max(1, len(acts) // 2)
    return [*acts[:half], ScheduledAction(acts[half - 1].due_ms, Ending(status, reason))]


def _interrupted(acts: list[ScheduledAction], kind: str, fault: Fault) -> list[ScheduledAction]:
    """The actions with a fault among them, `after` ms of audio into the reply (default: behind the first chunk)."""
    place = _place_after(acts, fault.after)
    before, rest = acts[:place], acts[place:]
    at_ms = before[-1].due_ms if before else (acts[0].due_ms if acts else 0.0)
    inserted: Action
    if kind == "stall":
        delay_ms = fault.delay
        return before + [replace(act, due_ms=act.due_ms + delay_ms) for act in rest if delay_ms is not None]
    if kind == "broken_json":
        inserted = RawMessage(b'{"type": "response.output_audio.delta", "delta": "AAAA', "broken_json")
        return [*before, ScheduledAction(at_ms, inserted), *rest]
    if kind == "error_event":
        message = "The server had an error while processing your request."
        error = ProtocolError(message, code=fault.error_code or "server_error", kind="server_error")
        inserted = ExtraEvent({"type": "error", "event_id": "event_fault", "error": error.body()})
    elif kind == "cut":
        inserted = Disconnect(None, reset=True)
    else:
        inserted = Disconnect(None if fault.close_code == 1006 else fault.close_code)
    return [*before, ScheduledAction(at_ms, inserted)]


def _place_after(acts: list[ScheduledAction], after_ms: int | None) -> int:
    """The index behind the action with which that much audio has been sent."""
    sent_ms = 0.0
    for place, act in enumerate(acts):
        if isinstance(act.action, AudioChunk):
            sent_ms += act.action.samples * 1000 / act.action.rate_hz
            if sent_ms >= (after_ms or 0):
                return place + 1
    return max(0, len(acts) - 1)
