"""`bench calibrate`: the harness's own measurement error on this machine, by number of simultaneous calls.

In: levels, frame length, workers; out: a `Calibration`. Each level is a real run of real worker processes against the
simulated server, whose truth log says when each event left; the difference is the error. Trap: client and server share
this machine's cores, so a level can fail because the *server* had none left. Both CPU shares are kept, and the reasons
say which of them it was.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
import trustme
import yaml

from bench import __version__
from bench.calibrate.sent import log_files, read_truth
from bench.calibrate.truth import check_turns, summarise
from bench.config.units import parse_duration
from bench.errors import BenchError, ExitCode
from bench.load.factory import fixtures_of
from bench.load.health_probe import raise_file_limit
from bench.load.progress import Progress
from bench.load.spec import RunSpec, Workforce
from bench.load.watchers import Watcher, Watchers
from bench.pricing.book import books_for
from bench.run.conduct import conduct
from bench.run.lifecycle import finish, prepare
from bench.run.server_process import ServerProcess
from bench.scenario.model import Scenario, shipped_catalogue
from bench.scenario.read import scenario_from_dict
from bench.server.options import ServeOptions
from bench.store.calibration import Calibration, Level, writable_home, write_calibration
from bench.store.certificate import Spread
from bench.store.environment import host_facts
from bench.store.folder import create_run_folder
from bench.store.reader import Run, iter_timelines

METRICS = ("ttft_ms", "first_audio_ms", "first_audible_ms", "endpoint_ms", "response_done_ms")
DECISIVE = ("ttft_ms", "first_audio_ms", "endpoint_ms")
"""The metrics whose error decides whether a level passes."""
ERROR_BOUND_MS = 1.0
LATE_BOUND_MS = 10.0
CALLS_PER_RAMP_SECOND = 40
SPOKEN = ("balance", "order-status", "plan-prices", "opening-hours", "appointment")
TURNS_PER_CALL = 8
BUSY_CORE = 0.9
TRUTH_LOG = "truth.jsonl"
PROFILE = {
    "name": "calibration",
    "seed": 7,
    "endpointing": {"gamma": {"mean": "420ms", "shape": 40}},
    "first_token": {"lognormal": {"median": "600ms", "sigma": 0.12}},
    "first_audio": {"lognormal": {"median": "720ms", "sigma": 0.12}},
    "leading_silence": "80ms",
    "reply": "Thank you, I have done that for you.",
    "reply_length": "5s",
    "chunk": "800ms",
}


@dataclass(frozen=True, slots=True)
class CalibrateOptions:
    """What to calibrate. `burner_ms` lets a greenlet hold each worker's loop for that long, again and again."""

    levels: tuple[int, ...] = (25, 50, 100, 200)
    frame_ms: int = 20
    workers: int = 1
    servers: int = 1
    seconds: float = 20.0
    tls: bool = False
    nagle: bool = False
    burner_ms: float = 0.0
    error_bound_ms: float = ERROR_BOUND_MS
    late_bound_ms: float = LATE_BOUND_MS

    @classmethod
    def at(cls, levels: str, frame: str, **others: Any) -> CalibrateOptions:
        """With `levels` such as `50,200` and `frame` such as `20ms`. Raises `BenchError` for anything else."""
        try:
            numbers = tuple(sorted({int(level) for level in levels.split(",")}))
        except ValueError:
            raise BenchError(
                f"--at '{levels}': allowed: whole numbers of calls with commas between them", hint="such as --at 50,200"
            ) from None
        try:
            return cls(levels=numbers, frame_ms=parse_duration(frame), **others)
        except ValueError as error:
            raise BenchError(
                f"--at {levels} --frame {frame}: {error}", hint="such as --at 50,200 --frame 20ms"
            ) from error


def calibrate(options: CalibrateOptions, tell: Callable[[str], None]) -> Calibration:
    """Measure every level, keep the result for this host's reports and return it."""
    raise_file_limit()
    writable_home()  # before minutes of measuring
    levels: list[Level] = []
    with tempfile.TemporaryDirectory(prefix="bench-calibrate-") as root:
        for calls in options.levels:
            tell(f"{calls} calls, {options.frame_ms} ms frames ...")
            levels.append(measure_level(calls, options, Path(root) / str(calls)))
            tell(describe(levels[-1]))
    passed = [level.calls for level in levels if level.ok]
    failed = [level.calls for level in levels if not level.ok]
    held = [calls for calls in passed if not failed or calls < min(failed)]
    calibration = Calibration(
        created_at=datetime.now(UTC),
        bench_version=__version__,
        host=host_facts(),
        transport="wss" if options.tls else "ws",
        nagle=options.nagle,
        frame_ms=options.frame_ms,
        workers=options.workers,
        burner_ms=options.burner_ms,
        error_bound_ms=options.error_bound_ms,
        late_bound_ms=options.late_bound_ms,
        levels=levels,
        highest_level=max(held, default=None),
    )
    write_calibration(calibration)
    return calibration


def describe(level: Level) -> str:
    """One line on a level as it ends."""
    errors = ", ".join(
        f"{name.removesuffix('_ms')} {_ms(level.errors[name].p99_ms)}" for name in DECISIVE if name in level.errors
    )
    verdict = "ok" if level.ok else "NOT OK: " + "; ".join(level.reasons)
    return (
        f"  error p99 {errors}; frames late p99 {_ms(level.frame_late.p99_ms)}; "
        f"client CPU {_cpu(level.client_cpu)}, server CPU {_cpu(level.server_cpu)}; {verdict}"
    )


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f} ms"


def _cpu(shares: dict[str, float]) -> str:
    return " + ".join(f"{share:.0%}" for share in shares.values()) or "-"


# one level


def measure_level(
    calls: int, options: CalibrateOptions, root: Path, watch: Callable[[RunSpec], Watcher] | None = None
) -> Level:
    """The errors at `calls` calls at a time, in the new folder `root`; with the watcher that `watch` makes, if any."""
    root.mkdir()
    with ExitStack() as stack:
        server = _start_server(options, root)
        stack.callback(server.stop)
        scenario = _scenario(calls, options, root, server.url)
        assert scenario.target is not None
        spec = RunSpec(
            scenario=scenario,
            target=scenario.target,
            folder=create_run_folder(root / f"calibration-{calls}", scenario.name, datetime.now(UTC)),
            run_id=f"calibration-{calls}",
            books=books_for(scenario.pricing.book, base=scenario.base),
            fixtures=fixtures_of(scenario),
            workforce=Workforce(local=options.workers, burner_ms=options.burner_ms),
        )
        cpu = _ServerCpu(server.pid)
        watching = Watchers([cpu, *([] if watch is None else [watch(spec)])])
        run = prepare(spec, Watchers())
        reason = conduct(run.workers, [], watching, graceful_stop_s=scenario.load.graceful_stop_ms / 1000)
        if reason == "interrupted":
            raise KeyboardInterrupt
        server.stop()
        return _judge(calls, options, finish(run, reason), root / TRUTH_LOG, cpu.shares)


def _judge(calls: int, options: CalibrateOptions, run: Run, log: Path, server_cpu: dict[str, float]) -> Level:
    checked = check_turns(run, iter_timelines(run.folder.root), read_truth(log_files(log)))
    summary = summarise(checked).set_index("metric")
    health = run.manifest.health
    errors = {name: _spread(summary.loc[name]) for name in METRICS}
    rss = [worker.rss_most_bytes for worker in health.workers.values() if worker.rss_most_bytes]
    client_cpu = {name: worker.cpu_share_peak or 0.0 for name, worker in health.workers.items()}
    level = Level(
        calls=calls,
        turns=len(run.turns),
        turns_unmatched=int((~checked["matched"].astype(bool)).sum()),
        errors=errors,
        frame_late=health.frame_late_ms or Spread(n=0),
        recv_lag=health.recv_lag_ms or Spread(n=0),
        client_cpu=client_cpu,
        server_cpu=server_cpu,
        rss_per_call_bytes=sum(rss) / calls if rss else None,
        client_late_turns=int(run.turns["client_late"].sum()),
        ok=False,
        reasons=[],
    )
    reasons = failures(level, run, options)
    remarks = limits(client_cpu, server_cpu)
    return level.model_copy(update={"ok": not reasons, "reasons": [*reasons, *remarks]})


def failures(level: Level, run: Run, options: CalibrateOptions) -> list[str]:
    """Why the level does not pass; nothing when it does."""
    said = []
    for name in DECISIVE:
        spread = level.errors[name]
        if spread.p99_ms is None:
            said.append(f"{name} was not measured")
        elif spread.p99_ms > options.error_bound_ms:
            said.append(f"error p99 of {name} is {spread.p99_ms:.2f} ms, the bound is {options.error_bound_ms:g} ms")
    late = level.frame_late.p99_ms
    if late is None or late > options.late_bound_ms:
        said.append(f"frames are late by {_ms(late)} at p99, the bound is {options.late_bound_ms:g} ms")
    if level.turns_unmatched:
        said.append(f"{level.turns_unmatched} turns have no counterpart in the truth log")
    answered = int((run.turns["status"] == "ok").sum())
    if answered < len(run.turns):
        said.append(f"{len(run.turns) - answered} of {len(run.turns)} turns were not answered ok")
    said += run.reasons
    return said


def limits(client_cpu: dict[str, float], server_cpu: dict[str, float]) -> list[str]:
    """Which process had no more of a core to take: a remark, not a failure."""
    sides = (
        (client_cpu, "worker", " at its peak: spread the calls over more workers"),
        (server_cpu, "truth server", ": it, not the client, may be the limit"),
    )
    return [
        f"{what} {name} used {share:.0%} of a core{advice}"
        for shares, what, advice in sides
        for name, share in shares.items()
        if share > BUSY_CORE
    ]


def _spread(row: Any) -> Spread:
    shares = (round(float(row[name]), 4) for name in ("p50", "p95", "p99", "max"))
    return Spread(n=int(row["n"]), **dict(zip(("p50_ms", "p95_ms", "p99_ms", "max_ms"), shares, strict=True)))


def _scenario(calls: int, options: CalibrateOptions, root: Path, url: str) -> Scenario:
    """Callers in an ordinary conversation: two or three seconds of speech, a reply of five, a breath, and again."""
    ramp_s = max(1.0, calls / CALLS_PER_RAMP_SECOND)
    spoken = _fixture_ids()
    body = {
        "name": f"calibration-{calls}",
        "target": {
            "url": url,
            "model": "simulated",
            "provider": "truth",
            **({"ca_file": "ca.pem"} if options.tls else {}),
        },
        "fixtures": str(shipped_catalogue()),
        "session": {"frame": f"{options.frame_ms}ms"},
        "conversation": [step for _ in range(TURNS_PER_CALL) for step in ({"say": spoken}, {"pause": "300ms"})],
        "load": {
            "callers": calls,
            "ramp": f"{ramp_s:g}s",
            "duration": f"{ramp_s + options.seconds:g}s",
            "graceful_stop": "20s",
        },
        "pricing": {"book": "example-embedded"},
        "timeouts": {"connect": "30s", "ready": "30s"},
    }
    return scenario_from_dict(body, source=root / "scenario.yaml")


def _fixture_ids() -> list[str]:
    from bench.audio.catalogue import load_catalogue

    known = load_catalogue(shipped_catalogue()).fixtures
    return sorted(name for name in known if name.startswith(SPOKEN) and known[name].duration_ms < 3_500)


def _start_server(options: CalibrateOptions, root: Path) -> ServerProcess:
    profile = root / "profile.yaml"
    profile.write_text(yaml.safe_dump(PROFILE), encoding="utf-8")
    certificate: Path | None = None
    if options.tls:
        authority = trustme.CA()
        authority.cert_pem.write_to_path(root / "ca.pem")
        certificate = root / "server.pem"
        authority.issue_cert("127.0.0.1", "localhost").private_key_and_cert_chain_pem.write_to_path(certificate)
    serve = ServeOptions(
        engine="simulated",
        port=0,
        profile=profile,
        truth_log=root / TRUTH_LOG,
        processes=options.servers,
        tls_cert=certificate,
        nagle=options.nagle,
    )
    return ServerProcess(serve, what="the simulated server")


class _ServerCpu(Watcher):
    """Share of one core that each process of the server took while calls were begun; idle supervisors are left out."""

    def __init__(self, pid: int) -> None:
        self.shares: dict[str, float] = {}
        self._pid = pid
        self._before: dict[int, float] | None = None
        self._began_s = 0.0
        self._over = False

    def progress(self, progress: Progress) -> None:
        if self._before is None:
            self._before, self._began_s = self._cpu_s(), time.monotonic()
        elif progress.phase == "finishing" and not self._over:
            self._over = True
            elapsed_s = time.monotonic() - self._began_s
            shares = {pid: (used - self._before.get(pid, 0.0)) / elapsed_s for pid, used in self._cpu_s().items()}
            self.shares = {f"pid {pid}": round(share, 4) for pid, share in shares.items() if share > 0.005}

    def _cpu_s(self) -> dict[int, float]:
        """CPU seconds of each process of the server so far."""
        try:
            parent = psutil.Process(self._pid)
            family = [parent, *parent.children(recursive=True)]
            return {each.pid: sum(each.cpu_times()[:2]) for each in family}
        except psutil.Error as error:
            raise BenchError(
                f"the simulated server ended in mid-run: {error}", exit_code=ExitCode.INVALID_GENERATOR
            ) from error
