"""A reply as a list of acts with due times, and what a fault makes of that list.

In: what was drawn for a turn and its faults. Out: `Act`s in order of time; whoever plays them knows no faults.
Trap: due times count from the end of the caller's speech. An act that is due in the past is played at once, late and
logged as such, and those after it keep their own times.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

from bench.audio.formats import AudioFormat
from bench.server.engines.simulated.faults import Struck
from bench.server.protocol.response import Ending

TONE_HZ = 500
TONE_AMPLITUDE = 8_000
RATE_LIMITED = "rate_limit_exceeded"
_WORD = re.compile(r"\S+\s*")


@dataclass(frozen=True, slots=True)
class Chunk:
    """Reply audio of one delta; `silent` of its `samples` come first."""

    data: bytes
    in_base64: str
    samples: int
    silent: int


@dataclass(frozen=True, slots=True)
class Text:
    delta: str


@dataclass(frozen=True, slots=True)
class Raw:
    """Bytes sent as a text message, whatever they are."""

    data: bytes
    what: str


@dataclass(frozen=True, slots=True)
class Stray:
    """An event of its own, outside of the session's order."""

    event: dict[str, Any]


@dataclass(frozen=True, slots=True)
class HangUp:
    """Close with `code`; None cuts the connection (`reset`: so that the peer's next write fails)."""

    code: int | None
    reset: bool = False


Deed = Text | Chunk | Ending | Raw | Stray | HangUp


@dataclass(frozen=True, slots=True)
class Act:
    due_ms: float
    deed: Deed


@dataclass(frozen=True, slots=True)
class Plan:
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


@lru_cache(maxsize=512)
def chunk(audio_format: AudioFormat, silent: int, samples: int) -> Chunk:
    """A stretch of silence and then tone, encoded once for all calls. The tone starts at full level."""
    rate_hz = audio_format.rate_hz
    tone = TONE_AMPLITUDE * np.cos(2 * np.pi * TONE_HZ / rate_hz * np.arange(samples - silent))
    pcm = np.concatenate((np.zeros(silent), tone)).astype(np.int16)
    data = audio_format.encode(pcm)
    return Chunk(data, base64.b64encode(data).decode("ascii"), samples, silent)


def reply_script(plan: Plan, audio_format: AudioFormat, *, spoken: bool) -> list[Act]:
    """The acts of a reply that goes well."""
    words = _WORD.findall(plan.text)
    if not spoken:
        first, last = plan.first_token_ms, plan.first_token_ms + 20.0 * max(0, len(words) - 1)
        acts = [Act(first + 20.0 * place, Text(word)) for place, word in enumerate(words)]
        return [*acts, Act(last, Ending("completed"))]
    acts = [Act(plan.first_token_ms, Text(words[0]))] if words else []
    said, due_ms = min(1, len(words)), plan.first_audio_ms
    chunks = _chunks(plan, audio_format)
    for place, piece in enumerate(chunks):
        if place:
            due_ms += plan.gaps_ms[min(place - 1, len(plan.gaps_ms) - 1)]
        upto = -(-len(words) * (place + 1) // len(chunks))
        if upto > said:
            acts.append(Act(max(due_ms, plan.first_token_ms), Text("".join(words[said:upto]))))
            said = upto
        acts.append(Act(due_ms, piece))
    acts.sort(key=lambda act: act.due_ms)  # stable: words stay ahead of the sound of their time
    return [*acts, Act(acts[-1].due_ms if acts else plan.first_audio_ms, Ending("completed"))]


def _chunks(plan: Plan, audio_format: AudioFormat) -> list[Chunk]:
    per_ms = audio_format.rate_hz // 1000
    total, silent = round(plan.reply_ms) * per_ms, round(plan.leading_silence_ms) * per_ms
    size = plan.chunk_ms * per_ms
    found = []
    for start in range(0, silent + total, size):
        samples = min(size, silent + total - start)
        found.append(chunk(audio_format, min(max(0, silent - start), samples), samples))
    return found


def failed(kind: str, code: str, message: str) -> Ending:
    """The ending of a response that failed."""
    return Ending("failed", error={"type": kind, "code": code, "message": message})


def with_faults(acts: list[Act], struck: Struck) -> list[Act]:
    """What the faults of a turn leave of its reply."""
    if "no_reply" in struck:
        return []
    if (fault := struck.get("slow_first_byte")) is not None:
        delay_ms = fault.delay_ms(2_000)
        acts = [replace(act, due_ms=act.due_ms + delay_ms) for act in acts]
    if "silent_reply" in struck:
        acts = [act for act in acts if isinstance(act.deed, Ending)]
    if (fault := struck.get("done")) is not None:
        acts = _ended_otherwise(acts, str(fault.chosen_status), fault.error_code)
    if "unknown_events" in struck and acts:
        stray = Stray({"type": "response.weather.delta", "event_id": "event_stray", "delta": {"wind": 3}})
        acts = [Act(acts[0].due_ms, stray), *acts]
    for kind in ("broken_json", "error_event", "cut", "close", "stall"):
        if (fault := struck.get(kind)) is not None:
            acts = _struck(acts, kind, fault)
    return acts


def _ended_otherwise(acts: list[Act], status: str, code: str | None) -> list[Act]:
    """`failed` gives nothing; `incomplete` and `cancelled` break off in the middle."""
    if status == "failed":
        first = acts[0].due_ms if acts else 0.0
        return [Act(first, failed("server_error", code or "server_error", "The server had an error."))]
    reason = code or ("max_output_tokens" if status == "incomplete" else "client_cancelled")
    half = max(1, len(acts) // 2)
    return [*acts[:half], Act(acts[half - 1].due_ms, Ending(status, reason))]


def _struck(acts: list[Act], kind: str, fault: Any) -> list[Act]:
    """The acts with something else in their midst, `after` ms of audio into the reply (default: the first chunk)."""
    place = _place_after(acts, fault.after)
    before, rest = acts[:place], acts[place:]
    at_ms = before[-1].due_ms if before else (acts[0].due_ms if acts else 0.0)
    if kind == "broken_json":
        raw = Raw(b'{"type": "response.output_audio.delta", "delta": "AAAA', "broken_json")
        return [*before, Act(at_ms, raw), *rest]
    if kind == "error_event":
        error = {
            "type": "server_error",
            "code": fault.error_code or "server_error",
            "message": "The server had an error while processing your request.",
            "param": None,
            "event_id": None,
        }
        return [*before, Act(at_ms, Stray({"type": "error", "event_id": "event_fault", "error": error}))]
    if kind == "cut":
        return [*before, Act(at_ms, HangUp(None, reset=True))]
    if kind == "close":
        return [*before, Act(at_ms, HangUp(None if fault.close_code == 1006 else fault.close_code))]
    if fault.delay is None:
        return before
    return [*before, *(replace(act, due_ms=act.due_ms + fault.delay) for act in rest)]


def _place_after(acts: list[Act], after_ms: int | None) -> int:
    """The index behind the act with which that much audio has been sent."""
    sent_ms = 0.0
    for place, act in enumerate(acts):
        if isinstance(act.deed, Chunk):
            rate_hz = 24_000 if len(act.deed.data) == act.deed.samples * 2 else 8_000
            sent_ms += act.deed.samples * 1000 / rate_hz
            if sent_ms >= (after_ms or 0):
                return place + 1
    return max(0, len(acts) - 1)
