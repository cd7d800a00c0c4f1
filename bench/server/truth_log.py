"""The truth log: what the server heard and sent, and when, as JSON lines.

In: facts with `CLOCK_MONOTONIC` stamps that the caller took at the socket. Out: a file that
`bench.calibrate.truth` joins with a run. One file per process; a line is a `process`, `session`, `turn`, `event` or
`close` record, described in docs/simulator.md.
Trap: nothing is encoded or written where a stamp is taken; lines are made a few times a second, so a killed
process loses the last `FLUSH_S` of its log.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from bench.errors import BenchError

VERSION = 1
FLUSH_S = 0.25
FLUSH_RECORDS = 512

_KEPT = {
    "response_id": "response",
    "item_id": "item",
    "transcript": "transcript",
    "left_ms": "left_ms",
    "resumed": "resumed",
    "items": "items",
}
"""Fields of events that are kept, and what they are called in the log."""

Facts = Mapping[str, Any]
LoggedAudio = tuple[int, int | None]
"""Samples of an audio delta, and how many of them, from its start, are silence (None: not known)."""


class TruthLog:
    """The log of one process; without a path nothing is kept."""

    def __init__(self, path: Path | None, *, engine: str, settings: Facts) -> None:
        self._records: list[dict[str, Any]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._fd: int | None = None
        if path is None:
            return
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise BenchError(f"--truth-log {path}: cannot be written: {error.strerror}") from error
        self._add(
            {
                "kind": "process",
                "version": VERSION,
                "pid": os.getpid(),
                "engine": engine,
                "monotonic_ns": time.monotonic_ns(),
                "realtime_ns": time.time_ns(),
                "settings": dict(settings),
            }
        )
        self.flush()

    @property
    def wanted(self) -> bool:
        """Whether anything is kept; if not, callers may skip costly facts."""
        return self._fd is not None

    def add(self, kind: str, session_id: str, **facts: Any) -> None:
        """A `session` (an accepted connection), a `turn` (one stretch of caller speech), a `close`, or a `refusal`."""
        if self._fd is not None:
            self._add({"kind": kind, "session": session_id, **facts})

    def event(self, session_id: str, at_ns: int, size: int, event: Facts, audio: LoggedAudio | None) -> None:
        """An event that was written; `audio` is about its audio delta."""
        if self._fd is None:
            return
        kind = str(event["type"])
        record = {"kind": "event", "session": session_id, "at_ns": at_ns, "bytes": size, "type": kind}
        if audio is not None:
            record["samples"], record["silent_samples"] = audio
        for key, short in _KEPT.items():
            if key in event:
                record[short] = event[key]
        if kind == "response.function_call_arguments.done":
            record |= {key: event[key] for key in ("call_id", "name", "arguments")}
        elif kind == "conversation.item.added" and event["item"]["type"] == "function_call_output":
            record |= {"item": event["item"]["id"], "result_of": event["item"]["call_id"]}
        if kind.startswith("response.") and "response" in event:
            response = event["response"]
            record["response"] = response["id"]
            if kind == "response.done":
                record["status"] = response["status"]
                record["details"] = response["status_details"]
                record["usage"] = response.get("usage")
        elif kind.endswith(("text.delta", "transcript.delta", "transcription.delta")):
            record["text"] = event["delta"]
        elif "error" in event:
            record["error"] = event["error"]
        elif "rate_limits" in event:
            record["rate_limits"] = event["rate_limits"]
        if kind.endswith("input_audio_transcription.completed"):
            record["usage"] = event.get("usage")
        self._add(record)

    def raw(self, session_id: str, at_ns: int, size: int, what: str) -> None:
        """Bytes that are no event."""
        self.add("event", session_id, at_ns=at_ns, bytes=size, type=what)

    def flush(self) -> None:
        """Write what has been collected."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._fd is not None and self._records:
            records, self._records = self._records, []
            data = b"".join(orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE) for record in records)
            while data:
                data = data[os.write(self._fd, data) :]

    def close(self) -> None:
        """Write the rest and let go of the file."""
        self.flush()
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def _add(self, record: dict[str, Any]) -> None:
        self._records.append(record)
        if len(self._records) >= FLUSH_RECORDS:
            self.flush()
        elif self._timer is None:
            try:
                self._timer = asyncio.get_running_loop().call_later(FLUSH_S, self.flush)
            except RuntimeError:  # before the loop runs; flushed by whoever made the log
                return


def part_path(path: Path, process: int, processes: int) -> Path:
    """The file of one of several processes: `truth.jsonl` becomes `truth.0.jsonl`, `truth.1.jsonl`, ..."""
    return path if processes == 1 else path.with_name(f"{path.stem}.{process}{path.suffix}")
