"""What a server says of itself: its truth logs, read back as sessions and as the responses that it sent.

In: the files that a server wrote. Out: `TrueSession`s by id, and `SentResponse`s. Trap: a log is written a few times a
second, so a killed server's ends in half a line.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from bench.errors import BenchError

Record = Mapping[str, Any]


@dataclass(slots=True)
class TrueSession:
    """What a server process wrote of one session, in order."""

    facts: Record
    events: list[Record] = field(default_factory=list)
    turns: list[Record] = field(default_factory=list)
    close: Record | None = None


@dataclass(slots=True)
class SentResponse:
    """One response as it was sent."""

    response_id: str | None = None
    created_ns: int | None = None
    done: Record | None = None
    words_ns: int | None = None
    audio: list[Record] = field(default_factory=list)
    calls: list[Record] = field(default_factory=list)
    """Its complete tool calls."""

    @property
    def first_output_ns(self) -> int | None:
        stamps = [self.words_ns, self.audio[0]["at_ns"] if self.audio else None]
        return min((stamp for stamp in stamps if stamp is not None), default=None)

    @property
    def status(self) -> str | None:
        return None if self.done is None else str(self.done["status"])

    def audible_ns(self, rate_hz: int) -> float | None:
        """When the first sample that is not silence leaves a player without a buffer; None where the log lacks it."""
        free_ns = 0.0
        for event in self.audio:
            silent = event.get("silent_samples")
            if silent is None:
                return None
            start_ns = max(float(event["at_ns"]), free_ns)
            if silent < event["samples"]:
                return start_ns + float(silent) * 1e9 / rate_hz
            free_ns = start_ns + event["samples"] * 1e9 / rate_hz
        return None


def log_files(path: Path) -> list[Path]:
    """The log itself, or the parts that several processes wrote beside its name; BenchError when none is there."""
    parts = [path] if path.exists() else sorted(path.parent.glob(f"{path.stem}.*{path.suffix}"))
    if not parts:
        raise BenchError(f"{path}: no such truth log", hint="start the server with --truth-log FILE")
    return parts


def read_truth(files: Iterable[Path]) -> dict[str, TrueSession]:
    """Sessions by id; a last line cut off by a kill is left out, any other damage is a BenchError."""
    sessions: dict[str, TrueSession] = {}
    for file in files:
        lines = file.read_bytes().split(b"\n")
        for number, line in enumerate(lines, start=1):
            if not line:
                continue
            try:
                record = orjson.loads(line)
                _keep(record, sessions)
            except (orjson.JSONDecodeError, KeyError, TypeError) as error:
                if number == len(lines):
                    continue
                raise BenchError(f"{file}:{number}: not a line of a truth log ({error})") from error
    return sessions


def _keep(record: Record, sessions: dict[str, TrueSession]) -> None:
    kind = record["kind"]
    if kind in {"process", "refusal", "client_secret"}:
        return
    if kind == "session":
        sessions[record["session"]] = TrueSession(record)
        return
    session = sessions[record["session"]]
    if kind == "name":
        sessions[record["name"]] = session
    elif kind == "event":
        session.events.append(record)
    elif kind == "turn":
        session.turns.append(record)
    elif kind == "close":
        session.close = record


def responses_of(events: Sequence[Record], all_events: Sequence[Record]) -> list[SentResponse]:
    """The responses created among `events`, with all that was ever sent of them.

    One that was created before the caller could have asked for it, or after the turn was over, is not the turn's.
    """
    found: dict[str, SentResponse] = {}
    for event in events:
        if event["type"] == "response.created":
            found.setdefault(event["response"], SentResponse(event["response"], event["at_ns"]))
    for event in all_events:
        response = found.get(event.get("response", ""))
        if response is None:
            continue
        kind = event["type"]
        if kind == "response.output_audio.delta" and event.get("samples", 1):
            response.audio.append(event)
        elif kind.endswith((".output_audio_transcript.delta", ".output_text.delta")) and event.get("text"):
            response.words_ns = response.words_ns if response.words_ns is not None else event["at_ns"]
        elif kind == "response.function_call_arguments.done":
            response.calls.append(event)
        elif kind == "response.done" and response.done is None:
            response.done = event
    return list(found.values())


def with_results(responses: Sequence[SentResponse], events: Sequence[Record]) -> SentResponse | None:
    """The responses from the first whose tool call got a result on, as one answer; None where there is none."""
    results = {event["result_of"] for event in events if "result_of" in event}
    first = next(
        (place for place, each in enumerate(responses) if any(call["call_id"] in results for call in each.calls)), None
    )
    if first is None:
        return None
    chain = [each for each in responses[first:] if each.status != "cancelled"]
    return SentResponse(
        chain[-1].response_id,
        chain[0].created_ns,
        chain[-1].done,
        min((each.words_ns for each in chain if each.words_ns is not None), default=None),
        [event for each in chain for event in each.audio],
        [call for each in chain for call in each.calls],
    )
