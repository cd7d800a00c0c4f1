"""A calibration as a table that pastes well, and the sentence that a report cites.

In: a stored `Calibration`; out: text. Trap: a level can fail because the truth server ran out of CPU, which says
nothing about the client; so every level is printed with its reasons.
"""

from __future__ import annotations

from bench.store.calibration import Calibration, Level
from bench.store.certificate import Spread

COLUMNS = ("ttft_ms", "first_audio_ms", "first_audible_ms", "endpoint_ms")


def render_calibration(found: Calibration) -> str:
    """The whole calibration: a line per level and metric, CPU of every process, and what held."""
    lines = [
        f"CALIBRATION of {found.host.hostname or 'this host'}: {found.host.cpu_model or 'CPU unknown'}, "
        f"{found.host.cores or '-'} cores; {found.transport}, {found.frame_ms} ms frames, "
        f"{found.workers} worker{'s' if found.workers != 1 else ''}"
        + (f", a burner of {found.burner_ms:g} ms in each" if found.burner_ms else ""),
        "|measured - true|, ms               n      p50      p95      p99      max",
    ]
    for level in found.levels:
        lines.append(f"{level.calls} calls, {level.turns} turns: {'ok' if level.ok else 'NOT OK'}")
        lines += [_row(name.removesuffix("_ms"), level.errors[name]) for name in COLUMNS if name in level.errors]
        lines.append(_row("frames sent late", level.frame_late))
        lines.append(_row("messages read late", level.recv_lag))
        lines.append(
            f"  CPU, share of a core     client {_shares(level.client_cpu)}; server {_shares(level.server_cpu)}"
        )
        if level.rss_per_call_bytes is not None:
            lines.append(f"  memory per call          {level.rss_per_call_bytes / 1024:.0f} KiB")
        if level.client_late_turns:
            lines.append(f"  turns flagged late       {level.client_late_turns}")
        lines += [f"  - {reason}" for reason in level.reasons]
    lines.append(sentence(found))
    return "\n".join(lines)


def sentence(found: Calibration) -> str:
    """What a decision needs to know of a calibration."""
    bounds = f"error p99 within {found.error_bound_ms:g} ms and frames within {found.late_bound_ms:g} ms at p99"
    if found.highest_level is None:
        return f"No level kept {bounds}."
    best = _of(found, found.highest_level)
    error = best.errors["first_audio_ms"].p99_ms
    return (
        f"Highest level with {bounds}: {found.highest_level} calls "
        f"(first audio wrong by {_number(error)} ms at p99; {found.transport}, {found.frame_ms} ms frames, "
        f"{found.workers} worker{'s' if found.workers != 1 else ''}, {found.created_at:%Y-%m-%d})."
    )


def _of(found: Calibration, calls: int) -> Level:
    return next(level for level in found.levels if level.calls == calls)


def _row(name: str, spread: Spread) -> str:
    values = (spread.p50_ms, spread.p95_ms, spread.p99_ms, spread.max_ms)
    return f"  {name:<24} {spread.n:>8}" + "".join(f" {_number(value):>8}" for value in values)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _shares(shares: dict[str, float]) -> str:
    return ", ".join(f"{name} {share:.0%}" for name, share in shares.items()) or "-"
