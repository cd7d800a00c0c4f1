"""Made-up runs with realistic rows, written through the store itself: any size, any mishap, the same every time."""

from __future__ import annotations

import atexit
import pickle
import shutil
import tempfile
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from bench.measure.records import SessionRecord, TurnRecord
from bench.measure.wer import WordScore, score_words
from bench.store.calibration import Calibration, Level
from bench.store.certificate import Spread
from bench.store.environment import Host
from bench.store.finish import close_run, write_tables
from bench.store.folder import RunFolder
from bench.store.manifest import CalledTarget, Manifest, UsedPriceBook, WorkerAnchor, WorkerCounts, write_manifest
from bench.store.reader import Run, read_run
from bench.store.spool import SpoolWriter

START = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
SAID = (
    ("balance", "I'd like to know the balance of my current account please."),
    ("order-status", "Can you tell me where my order four two seven one is?"),
    ("appointment", "I need to move my appointment from Monday to Thursday afternoon."),
    ("reset", "I forgot my password and I cannot log in any more."),
    ("yes", "Yes."),
)
VOICES = (("rms", "us"), ("slt", "us"), ("awb", "scottish"), ("kal", "us"))
MISHEARD = {
    "Thursday": "thirsty",
    "balance": "ballots",
    "four": "for",
    "order": "",
    "please": "please then",
    "my": "the",
}
RUN_ID = "20261120T093000Z-sample"


def identity(run_id: str, number: int, *, warmup: bool) -> dict[str, Any]:
    return {
        "run_id": run_id,
        "worker": f"w{number % 2}",
        "session_id": f"call-{number:05d}",
        "session_index": number,
        "caller": number % 20,
        "scenario": "sample",
        "phase": "warmup" if warmup else "main",
        "warmup": warmup,
        "provider": "local",
        "model": "reference-voice",
        "dialect": "openai",
        "transport": "websocket",
    }


def heard_as(said: str, rng: np.random.Generator, share: float) -> str:
    words = [MISHEARD.get(word.strip(".?"), word) if rng.random() < share else word for word in said.split()]
    return " ".join(word for word in words if word).strip(".?").lower()


@cache
def _scored(said: str, heard: str) -> WordScore | None:
    """Some hundred pairs are made again and again."""
    return score_words(said, heard, "en")


def turn_row(rng: np.random.Generator, who: dict[str, Any], turn: int, at_s: float, load: int) -> TurnRecord:
    """One answered turn; latencies grow with load and differ from call to call."""
    fixture, said = SAID[(who["session_index"] + turn) % len(SAID)]
    voice, accent = VOICES[(who["session_index"] * 3 + turn) % len(VOICES)]
    endpoint = 480 + rng.gamma(2.0, 18)
    created = endpoint + rng.gamma(2.0, 6)
    ttft = created + rng.gamma(3.0, 45 + 4 * load)
    audio = ttft + rng.gamma(2.0, 25)
    audible = audio + rng.gamma(2.0, 18)
    length = float(rng.uniform(1500, 5200))
    done = audio + length / 4
    underrun = float(max(0.0, rng.normal(-40, 60)))
    stalls = int(underrun > 60)
    heard = heard_as(said, rng, 0.22 if accent == "scottish" else 0.07)
    score = _scored(said, heard)
    assert score is not None
    in_audio, out_audio = 40 + 30 * turn, int(length / 50)
    costs = {"input": in_audio * 1e-5, "cached": turn * 12 * 3e-7, "output": out_audio * 2e-5, "transcription": 4e-4}
    return TurnRecord(
        **who, turn=turn, step=2 * turn, fixture=f"{fixture}-{voice}", language="en", accent=accent, voice=voice,
        condition=None, open_sessions=load, talking_sessions=max(1, load // 3), manual=False,
        started_at=START.timestamp() + at_s, ended_at=START.timestamp() + at_s + 2 + audible / 1000 + length / 1000,
        speech_ms=1800.0, status="ok", endpoint_ms=endpoint, response_created_ms=created, ttft_ms=ttft,
        first_audio_ms=audio, first_audible_ms=audible, leading_silence_ms=audible - audio, response_done_ms=done,
        reply_heard_ms=audible + length, responses=1, text_deltas=12, audio_deltas=20, reply_audio_ms=length,
        text_tokens_per_s=float(rng.normal(62, 9)), audio_tokens_per_s=float(rng.normal(85, 6)),
        audio_rtf=float(rng.normal(4.1, 0.4)), stalls=stalls, stall_ms=stalls * underrun,
        longest_stall_ms=stalls * underrun, underrun_ms=underrun, reference=said, hypothesis=heard,
        reply_text="Your balance is forty-two pounds.", wer=score.wer, wer_raw=score.wer_raw, hits=score.hits,
        substitutions=score.substitutions, deletions=score.deletions, insertions=score.insertions,
        normaliser="whisper-english 0.1", transcription_ms=endpoint + 130, in_text=120, in_audio=in_audio,
        in_cached_text=0, in_cached_audio=12 * turn, out_text=24, out_audio=out_audio,
        transcription_in_audio=40, transcription_out_text=10, cost_usd=sum(costs.values()),
        cost_input_usd=costs["input"], cost_cached_usd=costs["cached"], cost_output_usd=costs["output"],
        cost_transcription_usd=costs["transcription"], send_late_ms=float(rng.gamma(1.5, 0.6)),
        recv_lag_ms=float(rng.gamma(1.5, 0.4)), frames=95,
    )  # fmt: skip


def fail(row: TurnRecord, status: str, kind: str | None, code: str | None, message: str | None) -> TurnRecord:
    """The same turn without an answer."""
    for name in TurnRecord.__slots__:
        waited = name.endswith("_ms") and name not in {"speech_ms", "send_late_ms", "recv_lag_ms"}
        if waited or name.startswith("cost"):
            setattr(row, name, None)
    row.status, row.error_kind, row.error_code, row.error_message = status, kind, code, message  # type: ignore[assignment]
    row.stage = "turn" if kind else None
    return row


FAILURES = (
    ("failed", "rate_limit", "rate_limit_exceeded", "Rate limit reached for reference-voice: 40000 tokens per minute"),
    ("no_reply", "timeout", None, "no reply within 15 s"),
    ("failed", "server", "server_error", "<b>The server had an error</b> & gave up"),
    ("early", None, None, None),
)


def call_row(who: dict[str, Any], turns: Sequence[TurnRecord], at_s: float, rng: np.random.Generator) -> SessionRecord:
    length = 6.0 * max(1, len(turns)) + 2
    costs = [row.cost_usd for row in turns]
    return SessionRecord(
        **who, started_at=START.timestamp() + at_s, ended_at=START.timestamp() + at_s + length, status="ok",
        start_late_ms=float(rng.gamma(1.2, 0.5)), dns_ms=0.3, tcp_ms=float(rng.gamma(2, 0.2)),
        upgrade_ms=float(rng.gamma(2, 2)), connect_ms=float(rng.gamma(3, 3)), session_ready_ms=float(rng.gamma(3, 6)),
        duration_ms=length * 1000, turns_planned=len(turns), turns_ended=len(turns),
        turns_ok=sum(row.status == "ok" for row in turns), kernel_stamps=True, peer="127.0.0.1:8765",
        caller_audio_ms=length * 900, reply_audio_ms=float(sum(row.reply_audio_ms or 0 for row in turns)),
        cost_usd=None if any(cost is None for cost in costs) else float(sum(cost or 0 for cost in costs)),
        cost_partial_usd=float(sum(cost or 0 for cost in costs)) if any(cost is None for cost in costs) else None,
    )  # fmt: skip


def rows(calls: int = 60, turns: int = 5, *, fails: float = 0.04, warm: int = 4, seed: int = 1, late: float = 0.0) -> (
    tuple[list[TurnRecord], list[SessionRecord]]
):  # fmt: skip
    """`calls` calls that ramp up to twenty at once, the first `warm` of them warm-up."""
    rng = np.random.default_rng(seed)
    said: list[TurnRecord] = []
    placed: list[SessionRecord] = []
    for number in range(calls):
        who = identity(RUN_ID, number, warmup=number < warm)
        at_s = number * 1.6
        load = int(min(20, 1 + number // 2, 1 + (calls - number)))
        own = []
        for turn in range(turns):
            row = turn_row(rng, who, turn, at_s + 1 + turn * 6, max(1, load + int(rng.integers(-1, 2))))
            if rng.random() < fails:
                row = fail(row, *FAILURES[int(rng.integers(0, len(FAILURES)))])
            row.client_late = bool(rng.random() < late)
            own.append(row)
        said += own
        placed.append(call_row(who, own, at_s, rng))
    return said, placed


HOST = Host(
    hostname="bench-1", cpu_model="Example CPU 3.0 GHz", cores=2, memory_bytes=8 << 30, kernel="6.8", platform="Linux"
)


def spread(p99_ms: float, n: int = 2000) -> dict[str, Any]:
    return {"n": n, "p50_ms": p99_ms / 5, "p95_ms": p99_ms / 2, "p99_ms": p99_ms, "max_ms": p99_ms * 3}


def certificate(**changes: Any) -> dict[str, Any]:
    """One healthy worker's certificate, as it lies in `run.json`."""
    usual: dict[str, Any] = {
        "missed_deadlines_share": 0.0,
        "cpu_share": 0.31,
        "cpu_share_peak": 0.44,
        "steal_share": 0.001,
        "gc_pauses": 41,
        "gc_pause_total_ms": 96.0,
        "gc_pause_longest_ms": 6.5,
        "open_files_most": 61,
        "open_files_limit": 20_000,
        "rss_most_bytes": 181 << 20,
        "loop_lag_ms": spread(1.9),
        "frame_late_ms": spread(1.4, 48_000),
        "recv_lag_ms": spread(0.9, 21_000),
    }
    return {**usual, **changes}


def health(*workers: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A run's certificate of these workers, or of two healthy ones."""
    each = workers or (certificate(), certificate(cpu_share_peak=0.47))
    usual = {name: each[0][name] for name in ("loop_lag_ms", "frame_late_ms", "recv_lag_ms")}
    return {**usual, "workers": {f"w{n}": one for n, one in enumerate(each)}, "dropped_arrivals": 0, **changes}


def level(calls: int, error_ms: float, *, ok: bool = True, reasons: tuple[str, ...] = ()) -> Level:
    return Level(
        calls=calls,
        turns=calls * 4,
        errors={
            name: Spread(**spread(error_ms * factor))
            for name, factor in (("ttft_ms", 1.0), ("first_audio_ms", 1.1), ("endpoint_ms", 0.8))
        },
        frame_late=Spread(**spread(error_ms * 12)),
        recv_lag=Spread(**spread(error_ms * 6)),
        client_cpu={"w0": min(1.0, calls / 500)},
        server_cpu={"truth-0": min(1.0, calls / 420)},
        rss_per_call_bytes=260_000,
        ok=ok,
        reasons=list(reasons),
    )


def calibration(**changes: Any) -> Calibration:
    """A calibration of the made-up host: good up to 200 calls in one worker, not beyond."""
    values: dict[str, Any] = {
        "created_at": datetime(2026, 11, 19, 8, 0, tzinfo=UTC),
        "bench_version": "0.1.0",
        "host": HOST,
        "transport": "ws",
        "frame_ms": 20,
        "workers": 1,
        "error_bound_ms": 1.0,
        "late_bound_ms": 10.0,
        "levels": [
            level(50, 0.11),
            level(200, 0.4),
            level(
                500, 3.2, ok=False, reasons=("error p99 of first_audio_ms 3.5 ms", "the server used 100 % of a core")
            ),
        ],
        "highest_level": 200,
    }
    return Calibration(**{**values, **changes})


def manifest(**changes: Any) -> Manifest:
    values: dict[str, Any] = {
        "run_id": RUN_ID,
        "bench_version": "0.1.0",
        "scenario_name": "sample",
        "scenario": {
            "name": "sample",
            "conversation": [{"say": "balance-rms"}, {"pause": "1s"}],
            "load": {"callers": 20, "ramp": "10s", "sessions": 60, "warmup": 4},
        },
        "seed": 7,
        "command": ["bench", "run", "scenarios/sample.yaml"],
        "started_at": START,
        "ended_at": START + timedelta(minutes=3),
        "stop_reason": "completed",
        "python": "3.11.9",
        "libraries": {"locust": "2.40.1", "gevent": "25.1", "numpy": "2.1"},
        "host": HOST,
        "target": CalledTarget(
            url="ws://127.0.0.1:8765/v1/realtime", model="reference-voice", dialect="openai", embedded=True
        ),
        "workers": {
            f"w{n}": WorkerAnchor(monotonic_ns=1, unix_s=1.0, pid=10 + n, kernel_stamps=True) for n in range(2)
        },
        "health": health(),
        "calibration": calibration().model_dump(mode="json"),
        "price_books": [UsedPriceBook(name="example-embedded", date="2026-11-01", example=True)],
        "fixtures": {"balance-rms": "9f" * 32},
    }
    return Manifest(**{**values, **changes})


def write_spool(
    folder: RunFolder, kept: Manifest, turns: Sequence[TurnRecord], sessions: Sequence[SessionRecord]
) -> None:
    """What the workers of a running test leave in its folder."""
    folder.root.mkdir(parents=True, exist_ok=True)
    write_manifest(folder, kept)
    kept.counts.workers.update(_spooled(folder, kept.workers, turns, sessions))


def _spooled(
    folder: RunFolder, workers: Iterable[str], turns: Sequence[TurnRecord], sessions: Sequence[SessionRecord]
) -> dict[str, WorkerCounts]:
    writers = {name: SpoolWriter(folder, name) for name in workers}
    for row in turns:
        writers[row.worker].turn(row)
    for call in sessions:
        writers[call.worker].session(call)
    counts = {}
    for name, writer in writers.items():
        writer.close()
        counts[name] = WorkerCounts(
            turns_sent=writer.turns_written,
            turns_received=writer.turns_written,
            sessions_sent=writer.sessions_written,
            sessions_received=writer.sessions_written,
        )
    return counts


def finished(root: Path, turns: Sequence[TurnRecord], sessions: Sequence[SessionRecord], **changes: Any) -> Run:
    """A run that ended in good order. The tables of the same rows are written once for all tests of a process."""
    folder, kept = RunFolder(root), manifest(**changes)
    tables, counts = _tables_of(tuple(kept.workers), pickle.dumps((list(turns), list(sessions))))
    shutil.copytree(tables, root, dirs_exist_ok=True)
    kept.counts.workers.update({name: each.model_copy() for name, each in counts.items()})
    return close_run(folder, kept)


@cache
def _tables_of(workers: tuple[str, ...], rows: bytes) -> tuple[Path, dict[str, WorkerCounts]]:
    """A folder with the tables of pickled rows and nothing else, and how many rows each worker wrote."""
    made = tempfile.TemporaryDirectory()
    atexit.register(made.cleanup)
    folder = RunFolder(Path(made.name))
    counts = _spooled(folder, workers, *pickle.loads(rows))
    assert write_tables(folder) == []
    shutil.rmtree(folder.spool)
    return folder.root, counts


def killed(root: Path, turns: Sequence[TurnRecord], sessions: Sequence[SessionRecord]) -> Run:
    """A run whose processes vanished while they wrote a row."""
    folder = RunFolder(root)
    write_spool(folder, manifest(ended_at=None, stop_reason=None, health={}), turns, sessions)
    with folder.spool_turns("w0").open("ab") as stream:
        stream.write(b'{"run_id": "torn')
    return read_run(root)
