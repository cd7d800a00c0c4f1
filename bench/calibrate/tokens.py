"""How wrong the time of a short-lived key is: when its answer arrived against when the server wrote it.

In: the timelines of a run and the truth logs of its server. Out: one row for each call that asked for a key. Trap: a
call is joined to its key by the digest that the server noted for both, never by time: many ask at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import orjson
import pandas as pd

from bench.calibrate.sent import Record, TrueSession
from bench.facts.signals import SessionCreated
from bench.facts.timeline import Timeline

NS_PER_MS = 1e6
COLUMNS = ["session_id", "token_ms", "token_ms_true", "token_ms_error"]


def read_secrets(files: Iterable[Path]) -> list[Record]:
    """Every request for a client secret that the server answered, in order."""
    lines = [line for file in files for line in file.read_bytes().split(b"\n") if b'"client_secret"' in line[:40]]
    return sorted(map(orjson.loads, lines), key=lambda record: int(record["at_ns"]))


def check_tokens(
    timelines: Iterable[Timeline], sessions: Mapping[str, TrueSession], secrets: Iterable[Record]
) -> pd.DataFrame:
    """One row for each call that asked for a key and whose session the server knows; columns: `COLUMNS`."""
    written_ns = {record["secret"]: record["at_ns"] for record in secrets if record["secret"] is not None}
    rows = []
    for timeline in timelines:
        line = timeline.connection
        found = [entry.signal.session_id for entry in timeline.entries if isinstance(entry.signal, SessionCreated)]
        truth = sessions.get(found[0] or "") if found else None
        at_ns = written_ns.get(truth.facts.get("secret")) if truth is not None else None
        measured_ms = line.stage_ms("token")
        if at_ns is not None and line.started_ns is not None and measured_ms is not None:
            true_ms = (at_ns - line.started_ns) / NS_PER_MS
            rows.append([timeline.labels.session_id, measured_ms, true_ms, measured_ms - true_ms])
    return pd.DataFrame(rows, columns=COLUMNS)
