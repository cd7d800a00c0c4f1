"""Whether a run's numbers can be trusted: what its workers say of themselves, and what its host was calibrated to.

In: a `View`. Out: `Health` and `CalibrationInfo`.
Trap: only turns that our own lateness spoiled make a run invalid. Everything else here is a caution: it is said, and
decides nothing. What an older run did not record is None, which is neither good nor bad.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from bench.config.units import spaced
from bench.report.findings_health import CalibrationInfo, Health, WorkerHealth
from bench.report.phrases import amount, number, percent
from bench.report.recordings import recording_cautions, recordings_report
from bench.report.verdict import CLIENT_LATE_BOUND
from bench.report.view import View, floats, truth
from bench.store.calibration import Calibration
from bench.store.certificate import Arrivals, Spread, WorkerCertificate, WorkerFigures

FRAME_LATE_BOUND_MS = 10.0
LOOP_LAG_BOUND_MS = 20.0
CPU_BOUND = 0.9
STEAL_BOUND = 0.05
ARRIVALS_BOUND = 0.01
GAP_BOUND_MS = 50.0
HOST_FULL_BOUND = 0.1
PRESSURE_BOUND = 0.4
THROTTLED_BOUND = 0.01
_GAPS = {
    "frozen": "stood still for {length} (a stopped process, a paused machine, or no processor)",
    "suspended": "slept with its machine for {length}",
    "clock": "saw its wall clock set by {length}",
    "loop": "could not attend to its calls for {length} (its event loop was held up)",
}


def health(view: View, calibration: CalibrationInfo | None, unreadable: str | None = None) -> Health:
    """The certificate of a run. `unreadable` says why a stored calibration could not be used."""
    kept = view.run.manifest.health
    late, asked = int((view.late & ~view.warmup).sum()), int((~view.warmup).sum())
    workers = _workers(view, kept.workers)
    settings = view.run.manifest.scenario.get("health")
    after = settings.get("client_late") if isinstance(settings, dict) else None
    found = Health(
        client_late_turns=late,
        client_late_share=late / asked if asked else None,
        client_late_bound=late_bound(view),
        client_late_of=asked,
        client_late_after=None if after is None else spaced(after),
        kernel_stamps={worker.name: worker.kernel_stamps for worker in workers},
        frame_late=_known(kept.frame_late_ms),
        loop_lag=_known(kept.loop_lag_ms),
        recv_lag=_known(kept.recv_lag_ms),
        missed_deadlines_share=_missed(workers),
        workers=workers,
        arrivals=_arrivals(kept.arrivals, view.run.manifest.scenario),
        facts=kept.model_dump(mode="json", exclude_none=True),
    )
    found.overload = [*_gap_remarks(view, workers), *_overload(workers), *_full_host(workers)]
    found.cautions = [
        *_silence_cautions(workers),
        *_load_cautions(found),
        *_stamp_cautions(workers),
        *_calibration_cautions(calibration),
        *recording_cautions(recordings_report(view)),
    ]
    found.cautions += [unreadable] if unreadable else []
    found.trust, found.conclusion = _conclusion(found, calibration)
    return found


def calibration_of(view: View) -> tuple[CalibrationInfo | None, str | None]:
    """The calibration stored with the run beside its load; or None, and why it cannot be used if there is one."""
    kept = view.run.manifest.calibration
    if not isinstance(kept, Calibration):
        return None, "the calibration stored with this run cannot be read by this version" if kept else None
    asked = max((calls for calls in _calls_at_once(view).values()), default=None)
    each = max(1, kept.workers)
    levels = sorted(kept.levels, key=lambda level: level.calls)
    known = [level for level in levels if level.errors]
    near = [level for level in known if asked is None or level.calls / each >= asked] or known[-1:]
    highest = kept.highest_level
    return CalibrationInfo(
        created_at=kept.created_at,
        bench_version=kept.bench_version,
        hostname=kept.host.hostname,
        transport=kept.transport,
        frame_ms=kept.frame_ms,
        workers=kept.workers,
        error_bound_ms=kept.error_bound_ms,
        late_bound_ms=kept.late_bound_ms,
        highest_level=highest,
        quoted_level=near[0].calls if near else None,
        run_calls_per_worker=asked,
        exceeded=asked is not None and highest is not None and asked > highest / each,
        differences=_differences(view, kept),
        levels=levels,
    ), None


def late_bound(view: View) -> float:
    """The scenario's own bound on late turns, the default where an older run has none."""
    settings = view.run.manifest.scenario.get("health")
    bound = settings.get("max_client_late") if isinstance(settings, dict) else None
    return float(bound) if isinstance(bound, int | float) else CLIENT_LATE_BOUND


def peak_open(begun: Iterable[float], ended: Iterable[float]) -> int | None:
    """The most calls that were open at one moment, from their own beginnings and ends."""
    starts, ends = np.asarray(begun, dtype=np.float64), np.asarray(ended, dtype=np.float64)
    known = ~np.isnan(starts) & ~np.isnan(ends)
    if not known.any():
        return None
    moments = np.concatenate([starts[known], ends[known]])
    steps = np.concatenate([np.ones(known.sum()), -np.ones(known.sum())])
    # At one instant an end comes before a beginning: a call that replaces another was never beside it.
    return int(np.cumsum(steps[np.lexsort((steps, moments))]).max())


def _calls_at_once(view: View) -> dict[str, int]:
    begun, ended = floats(view.sessions, "started_at"), floats(view.sessions, "ended_at")
    found = {}
    for name, rows in view.sessions.groupby("worker", sort=True, observed=True).indices.items():
        peak = peak_open(begun[rows], ended[rows])
        if peak is not None:
            found[str(name)] = peak
    return found


def _workers(view: View, kept: dict[str, WorkerCertificate]) -> list[WorkerHealth]:
    """One certificate per worker, also for one that vanished before it could write any."""
    anchors, calls = view.run.manifest.workers, _calls_at_once(view)
    names = sorted({*anchors, *kept, *calls}, key=lambda name: (len(name), name))
    found = []
    for name in names:
        said = kept.get(name, WorkerCertificate())
        stamps = anchors[name].kernel_stamps if name in anchors else None
        found.append(
            WorkerHealth(
                name=name,
                calls_at_once=calls.get(name),
                kernel_stamps=_stamps_seen(view, name) if stamps is None else stamps,
                frame_late=_known(said.frame_late_ms),
                loop_lag=_known(said.loop_lag_ms),
                recv_lag=_known(said.recv_lag_ms),
                **said.model_dump(include=set(WorkerFigures.model_fields)),
            )
        )
    return found


def _stamps_seen(view: View, worker: str) -> bool | None:
    """What the calls of a worker say of their stamps: it knows only once its first message has come."""
    own = (view.sessions["worker"] == worker).to_numpy(dtype=np.bool_, na_value=False)
    ready = own & ~np.isnan(floats(view.sessions, "session_ready_ms"))
    return bool(truth(view.sessions, "kernel_stamps")[ready].all()) if ready.any() else None


def _known(spread: Spread | None) -> Spread | None:
    return spread if spread is not None and spread.n else None


def _missed(workers: list[WorkerHealth]) -> float | None:
    known = [
        (worker.missed_deadlines_share, worker.frame_late.n)
        for worker in workers
        if worker.missed_deadlines_share is not None and worker.frame_late is not None
    ]
    frames = sum(count for _, count in known)
    return sum(share * count for share, count in known) / frames if frames else None


def _arrivals(found: Arrivals | None, scenario: dict[str, Any]) -> Arrivals | None:
    """Counts of an open arrival process. The first versions wrote 0 dropped for a closed pool too."""
    load = scenario.get("load")
    is_open = isinstance(load, dict) and load.get("arrival", "closed") != "closed"
    if found is None or found.offered is not None or found.achieved is not None or found.dropped:
        return found
    return found if is_open and found.dropped is not None else None


def _gap_remarks(view: View, workers: list[WorkerHealth]) -> list[str]:
    """The longest time in which a worker stood still, and how many turns it touched."""
    known = [(gap.length_ms or 0.0, worker.name, gap) for worker in workers for gap in worker.gaps]
    length_ms, name, gap = max(known, key=lambda each: each[:2], default=(0.0, "", None))
    if gap is None or length_ms <= GAP_BOUND_MS:
        return []
    said = f"worker {name} {_GAPS.get(gap.kind, _GAPS['frozen']).format(length=f'{number(length_ms, 0)} ms')}"
    if gap.at is not None:
        said += f", {number(max(0.0, gap.at - view.origin_s), 1)} s into the run"
    more = sum(each[0] > GAP_BOUND_MS for each in known) - 1
    said += f"; {amount(more, 'more gap')} above {GAP_BOUND_MS:g} ms" if more else ""
    touched = int((~np.isnan(view.turn["gap_ms"]) & view.late & ~view.warmup).sum())
    left_out = f"{amount(touched, 'turn')} that {'this' if not more else 'they'} touched left out"
    return [f"{said}; {left_out}" if touched else f"{said}; no turn's latencies fell into it"]


def _full_host(workers: list[WorkerHealth]) -> list[str]:
    """A machine without a free CPU: a server on it, and whoever else, had to wait too."""
    said = []
    full, name = max(((worker.host_cpu_full_share or 0, worker.name) for worker in workers), default=(0, ""))
    waited, waiter = max(((worker.cpu_pressure_share or 0, worker.name) for worker in workers), default=(0, ""))
    if full > HOST_FULL_BOUND:
        said.append(
            f"all CPUs of the machine of worker {name} were busy in {percent(full, 0)} of the seconds "
            f"(bound {percent(HOST_FULL_BOUND, 0)}): a server on the same machine was slowed down too"
        )
    elif waited > PRESSURE_BOUND:
        said.append(
            f"some process on the machine of worker {waiter} waited for a CPU in {percent(waited, 0)} of the time "
            f"(bound {percent(PRESSURE_BOUND, 0)})"
        )
    throttled, name = max(((worker.throttled_share or 0, worker.name) for worker in workers), default=(0, ""))
    if throttled > THROTTLED_BOUND:
        said.append(
            f"the CPU limit of its container kept worker {name} from running in {percent(throttled, 1)} of the time"
        )
    return said


def _overload(workers: list[WorkerHealth]) -> list[str]:
    """Signs of a machine at its limit, each with the worker in which it was worst."""
    said = []
    for title, key, bound in (
        ("audio frames left late", "frame_late", FRAME_LATE_BOUND_MS),
        ("the event loop woke up late", "loop_lag", LOOP_LAG_BOUND_MS),
    ):
        lags = [(delays.p99_ms, worker.name) for worker in workers if (delays := getattr(worker, key))]
        over = [(lag, name) for lag, name in lags if lag is not None and lag > bound]
        if over:
            lag, name = max(over)
            said.append(f"{title}: p99 {number(lag, 1)} ms in worker {name} (bound {bound:g} ms)")
    busy = [(worker.cpu_share_peak, worker.name) for worker in workers if (worker.cpu_share_peak or 0) > CPU_BOUND]
    if busy:
        share, name = max(busy)
        others = f", and {len(busy) - 1} more above {percent(CPU_BOUND, 0)}" if len(busy) > 1 else ""
        said.append(
            f"worker {name} used {percent(share, 0)} of its core at its busiest{others}: "
            "spread the calls over more processes with --workers"
        )
    stolen = max((worker.steal_share or 0 for worker in workers), default=0)
    if stolen > STEAL_BOUND:
        said.append(
            f"other machines on the same hardware took {percent(stolen)} of this one's CPU time "
            f"(steal, bound {percent(STEAL_BOUND, 0)})"
        )
    return said


def _silence_cautions(workers: list[WorkerHealth]) -> list[str]:
    """Workers that were lost before they could certify anything, beside others that did."""
    silent = [worker.name for worker in workers if worker.frame_late is None]
    if not silent or len(silent) == len(workers):
        return []
    return [f"no certificate from {', '.join(silent)}: the readings below are of the other workers alone"]


def _load_cautions(found: Health) -> list[str]:
    arrivals = found.arrivals
    if arrivals is None:
        return []
    dropped = arrivals.dropped or 0
    why = f"{amount(dropped, 'call')} that came due {'was' if dropped == 1 else 'were'} dropped"
    why += ", because as many calls as max_open allows were open"
    if arrivals.offered and arrivals.achieved is not None:
        share = arrivals.achieved / arrivals.offered
        if abs(1 - share) > ARRIVALS_BOUND:
            said = f"{arrivals.achieved:,} of {arrivals.offered:,} planned calls were begun ({percent(share)})"
            return [f"{said}; {why}" if dropped else said]
    return [why] if dropped else []


def _stamp_cautions(workers: list[WorkerHealth]) -> list[str]:
    unstamped = [worker.name for worker in workers if worker.kernel_stamps is False]
    if not unstamped:
        return []
    return [f"no kernel arrival times in {', '.join(unstamped)}: latencies include the harness's own delay"]


def _calibration_cautions(known: CalibrationInfo | None) -> list[str]:
    if known is None:
        return []
    if known.highest_level is None:
        return [f"the calibration of this host passed at no level of load within {number(known.error_bound_ms, 1)} ms"]
    if not known.exceeded:
        return []
    each = known.highest_level / max(1, known.workers)
    return [
        f"{known.run_calls_per_worker:,} calls at once in one worker, and this host is calibrated for {each:,.0f}: "
        "beyond that its error is not known; use more --workers, or calibrate higher (bench calibrate --at)"
    ]


def _differences(view: View, kept: Calibration) -> list[str]:
    said = []
    url = view.run.manifest.target.url or ""
    scheme = url.split("://", 1)[0] if "://" in url else None
    if scheme is not None and scheme != kept.transport:
        said.append(f"this run used {scheme}, the calibration {kept.transport}")
    session = view.run.manifest.scenario.get("session")
    frame = session.get("frame") if isinstance(session, dict) else None
    if frame is not None and frame != f"{kept.frame_ms}ms":
        said.append(f"this run sent frames of {spaced(frame)}, the calibration of {kept.frame_ms} ms")
    version = view.run.manifest.bench_version
    if version != kept.bench_version:
        said.append(f"this run was made by version {version}, the calibration by {kept.bench_version}")
    return said


def _conclusion(found: Health, calibration: CalibrationInfo | None) -> tuple[Any, list[str]]:
    """The answer in a word, and the sentences that give the reasons."""
    share = found.client_late_share
    if share is not None and share > found.client_late_bound:
        late = f"{found.client_late_turns:,} of {found.client_late_of:,} turns ({percent(share)})"
        answer, said = "no", [f"This machine was overloaded or stood still, and late itself in {late}."]
    elif found.frame_late is None:
        answer, said = "unknown", ["The run holds no health certificate: it ended before one was written, or is old."]
    else:
        answer = "with care" if found.overload or found.cautions else "yes"
        said = [_kept_up(found)]
    said += [f"{remark[:1].upper()}{remark[1:]}." for remark in (*found.overload, *found.cautions)]
    if any(found.kernel_stamps.values()) and all(found.kernel_stamps.values()):
        said.append("The kernel stamped every arriving message, so reading one late adds nothing to a latency.")
    return answer, [*said, calibration_sentence(calibration)]


def _kept_up(found: Health) -> str:
    frames = found.frame_late
    if frames is None:
        return ""
    kept = (
        f"Of {frames.n:,} audio frames, 99 % left within {number(frames.p99_ms, 1)} ms of the instant at which a "
        f"microphone would have had them, the latest after {number(frames.max_ms, 1)} ms"
    )
    late = found.client_late_turns
    return f"{kept}; {'no turn' if not late else amount(late, 'turn')} had to be left out for it."


def calibration_sentence(known: CalibrationInfo | None) -> str:
    """What the calibration says of the error of a latency, or that there is none."""
    if known is None:
        return "How exact the measurement is on this machine is not known: it has no calibration (bench calibrate)."
    quoted = known.quoted
    if quoted is None:
        return "The calibration of this machine holds no measured error."
    worst = max((spread.p99_ms for spread in quoted.errors.values() if spread.p99_ms is not None), default=None)
    return (
        f"Calibrated on {known.created_at:%Y-%m-%d}: at {amount(quoted.calls, 'call')} the error of every latency is "
        f"within {number(worst, 2)} ms (p99), checked against a server that logs what it truly did."
    )
