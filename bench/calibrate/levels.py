"""`bench calibrate`: the harness's own measurement error on this machine, by number of simultaneous calls.

In: levels, frame length, workers; out: a `Calibration`. Each level is a real run of real worker processes against the
simulated server, whose truth log says when each event left; the join of the two is the error. Trap: client and
server share this machine's cores, so a level can fail because the *server* had no more; both CPU shares are kept, and
the reasons say which.
"""

from __future__ import annotations

import subprocess
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
from bench.calibrate.truth import check_turns, log_files, read_truth
from bench.errors import BenchError, ExitCode
from bench.load.factory import fixtures_of
from bench.load.health_probe import raise_file_limit
from bench.pricing.book import books_for
from bench.run.server_process import listening_url
from bench.scenario.model import Scenario, shipped_catalogue
from bench.scenario.read import scenario_from_dict
from bench.server.options import ServeOptions, start_server
from bench.store.calibration import Calibration, Level, Spread, write_calibration
from bench.store.environment import host_facts
from bench.store.finish import finish_run
from bench.store.folder import RunFolder, create_run_folder
from bench.store.manifest import Manifest, write_manifest
from bench.store.reader import Run, iter_timelines
from bench.workers.master import MasterCrew

METRICS = ("ttft_ms", "first_audio_ms", "first_audible_ms", "endpoint_ms", "response_done_ms")
DECISIVE = ("ttft_ms", "first_audio_ms", "endpoint_ms")
"""The metrics whose error decides whether a level passes."""
ERROR_BOUND_MS = 1.0
LATE_BOUND_MS = 10.0
CALLS_PER_RAMP_SECOND = 40
SPOKEN = ("balance", "order-status", "plan-prices", "opening-hours", "appointment")
TURNS_PER_CALL = 8
BUSY_CORE = 0.9
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
    burner_ms: float = 0.0
    error_bound_ms: float = ERROR_BOUND_MS
    late_bound_ms: float = LATE_BOUND_MS


def calibrate(options: CalibrateOptions, tell: Callable[[str], None]) -> Calibration:
    """Measure every level, keep the result for this host's reports and return it."""
    raise_file_limit()
    levels: list[Level] = []
    with tempfile.TemporaryDirectory(prefix="bench-calibrate-") as root:
        for calls in options.levels:
            tell(f"{calls} calls, {options.frame_ms} ms frames ...")
            levels.append(_level(calls, options, Path(root) / str(calls)))
            tell(describe(levels[-1]))
    passed = [level.calls for level in levels if level.ok]
    failed = [level.calls for level in levels if not level.ok]
    held = [calls for calls in passed if not failed or calls < min(failed)]
    calibration = Calibration(
        created_at=datetime.now(UTC),
        bench_version=__version__,
        host=host_facts(),
        transport="wss" if options.tls else "ws",
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


def _level(calls: int, options: CalibrateOptions, root: Path) -> Level:
    root.mkdir()
    with ExitStack() as stack:
        server = _Server(options, root)
        stack.callback(server.stop)
        scenario = _scenario(calls, options, root, server.url)
        assert scenario.target is not None
        folder = create_run_folder(root / "run", scenario.name, datetime.now(UTC))
        crew = MasterCrew(
            scenario,
            scenario.target,
            folder,
            run_id=f"calibration-{calls}",
            books=books_for("example-embedded"),
            fixtures=fixtures_of(scenario),
            local=options.workers,
            burner_ms=options.burner_ms,
        )
        crew.await_workers()
        manifest = _manifest(scenario, folder)
        server.mark()
        crew.start()
        while not crew.finished and not crew.admission_over:
            crew.wait(0.5)
        used = server.cpu_shares()
        crew.admit_no_more()
        deadline = time.monotonic() + 20
        while not crew.finished and time.monotonic() < deadline:
            crew.wait(0.2)
        crew.hang_up()
        crew.drain()
        facts = crew.facts()
        server.stop()
        manifest.workers, manifest.counts.workers = facts.anchors, facts.counts
        manifest.losses, manifest.health = facts.losses, facts.health
        return _judge(calls, options, finish_run(folder, manifest), server.log, used)


def _judge(calls: int, options: CalibrateOptions, run: Run, log: Path, server_cpu: dict[str, float]) -> Level:
    checked = check_turns(run, iter_timelines(run.folder.root), read_truth(log_files(log)))
    matched = checked[checked["matched"].astype(bool)]
    health = run.manifest.health
    workers: dict[str, dict[str, Any]] = health["workers"]
    errors = {name: _spread(matched[f"{name}_error"]) for name in METRICS}
    late = Spread(**health["frame_late_ms"])
    rss = [worker["rss_most_bytes"] for worker in workers.values() if worker.get("rss_most_bytes")]
    client_cpu = {name: float(worker["cpu_share_peak"]) for name, worker in workers.items()}
    level = Level(
        calls=calls,
        turns=len(run.turns),
        turns_unmatched=len(checked) - len(matched),
        errors=errors,
        frame_late=late,
        recv_lag=Spread(**health["recv_lag_ms"]),
        client_cpu=client_cpu,
        server_cpu=server_cpu,
        rss_per_call_bytes=sum(rss) / calls if rss else None,
        client_late_turns=int(run.turns["client_late"].sum()),
        ok=False,
        reasons=[],
    )
    reasons = _failures(level, run, options)
    remarks = _limits(client_cpu, server_cpu)
    return level.model_copy(update={"ok": not reasons, "reasons": [*reasons, *remarks]})


def _failures(level: Level, run: Run, options: CalibrateOptions) -> list[str]:
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


def _limits(client_cpu: dict[str, float], server_cpu: dict[str, float]) -> list[str]:
    """Which process had no more of a core to take: a remark, not a failure."""
    said = [
        f"worker {name} used {share:.0%} of a core at its peak: spread the calls over more workers"
        for name, share in client_cpu.items()
        if share > BUSY_CORE
    ]
    said += [
        f"truth server {name} used {share:.0%} of a core: it, not the client, may be the limit"
        for name, share in server_cpu.items()
        if share > BUSY_CORE
    ]
    return said


def _spread(values_ms: Any) -> Spread:
    import numpy as np

    values = np.abs(np.asarray(values_ms, dtype=float))
    values = values[~np.isnan(values)]
    if not len(values):
        return Spread(n=0)
    p50, p95, p99 = (round(float(value), 4) for value in np.percentile(values, [50, 95, 99]))
    return Spread(n=len(values), p50_ms=p50, p95_ms=p95, p99_ms=p99, max_ms=round(float(values.max()), 4))


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
        "load": {"callers": calls, "ramp": f"{ramp_s:g}s", "duration": f"{ramp_s + options.seconds:g}s"},
        "timeouts": {"connect": "30s", "ready": "30s"},
    }
    return scenario_from_dict(body, source=root / "scenario.yaml")


def _fixture_ids() -> list[str]:
    from bench.audio.catalogue import load_catalogue

    known = load_catalogue(shipped_catalogue()).fixtures
    return sorted(name for name in known if name.startswith(SPOKEN) and known[name].duration_ms < 3_500)


def _manifest(scenario: Scenario, folder: RunFolder) -> Manifest:
    manifest = Manifest(
        run_id=folder.run_id,
        bench_version=__version__,
        scenario_name=scenario.name,
        started_at=datetime.now(UTC),
        stop_reason="completed",
    )
    write_manifest(folder, manifest)
    return manifest


class _Server:
    """The simulated server of one level, and what it costs."""

    def __init__(self, options: CalibrateOptions, root: Path) -> None:
        profile = root / "profile.yaml"
        profile.write_text(yaml.safe_dump(PROFILE), encoding="utf-8")
        self.log = root / "truth.jsonl"
        certificate: Path | None = None
        if options.tls:
            authority = trustme.CA()
            authority.cert_pem.write_to_path(root / "ca.pem")
            certificate = root / "server.pem"
            authority.issue_cert("127.0.0.1", "localhost").private_key_and_cert_chain_pem.write_to_path(certificate)
        serve = ServeOptions(
            engine="simulated", port=0, profile=profile, truth_log=self.log, processes=options.servers,
            tls_cert=certificate,
        )  # fmt: skip
        self._process = start_server(serve, start_new_session=True)
        self.url = listening_url(self._process, what="the simulated server")
        self._marks: dict[int, float] = {}
        self._marked_s = 0.0

    def _cpu_s(self) -> dict[int, float]:
        try:
            parent = psutil.Process(self._process.pid)
            family = [parent, *parent.children(recursive=True)]
            return {each.pid: sum(each.cpu_times()[:2]) for each in family}
        except psutil.Error as error:
            raise BenchError(
                f"the simulated server ended in mid-run: {error}", exit_code=ExitCode.INVALID_GENERATOR
            ) from error

    def mark(self) -> None:
        """CPU is counted from here."""
        self._marks, self._marked_s = self._cpu_s(), time.monotonic()

    def cpu_shares(self) -> dict[str, float]:
        """Share of one core that each process took since `mark`; idle supervisors are left out."""
        elapsed_s = time.monotonic() - self._marked_s
        shares = {pid: (used - self._marks.get(pid, 0.0)) / elapsed_s for pid, used in self._cpu_s().items()}
        return {f"pid {pid}": round(share, 4) for pid, share in shares.items() if share > 0.005}

    def stop(self) -> None:
        """End the server; its log is complete afterwards."""
        if self._process.stdin is not None and not self._process.stdin.closed:
            self._process.stdin.close()
        try:
            self._process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(timeout=15)
