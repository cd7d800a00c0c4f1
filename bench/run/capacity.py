"""Whether this machine can place the calls that a run asks for, said before the first of them.

In: the most calls at a time, the length of a frame, the processes, and the host's calibration if it has one. Out: one
sentence, or None when nothing speaks against it. Trap: it is an estimate and decides nothing; what the machine did
stands in the health certificate. Workers on other machines are not known here.
"""

from __future__ import annotations

import math

from bench.store.calibration import Calibration

ROUGH_FRAMES_PER_S = 20_000
"""What one core of a usual machine sends and still keeps time; docs/calibration.md has measured examples."""
ROOM = 0.8
"""Part of the cores that calls may fill: the rest is for the kernel, and for a server beside us."""


def capacity_remark(
    most_open: int | None, *, frame_ms: int, processes: int, cores: int | None, known: Calibration | None
) -> str | None:
    """What to expect of `most_open` calls in `processes` processes of this machine."""
    if not most_open or not cores:
        return None
    each = math.ceil(most_open / processes)
    calls_per_process, source = _calls_per_process(frame_ms, known)
    if calls_per_process is None:
        return f"{source}: expect late turns, or an invalid run"
    fits = math.floor(calls_per_process * cores * ROOM)
    wanted = math.ceil(most_open / calls_per_process)
    if each <= calls_per_process and most_open <= max(fits, calls_per_process):
        return None
    said = f"{most_open:,} calls at once, {each:,} in a process; {source}"
    if most_open <= fits:
        return f"{said}: expect late turns, or an invalid run; --workers {wanted} would do"
    return (
        f"{said}, so about {max(fits, calls_per_process):,} on this machine's {cores:,} cores: expect an invalid run; "
        f"lower the load, or share it among machines (bench run --master)"
    )


def _calls_per_process(frame_ms: int, known: Calibration | None) -> tuple[int | None, str]:
    """How many calls a process carries, and who says so; None when not even the lowest level passed."""
    if known is None or not known.workers:
        rough = max(1, ROUGH_FRAMES_PER_S * frame_ms // 1000)
        return rough, f"without a calibration of this host (bench calibrate) about {rough:,} are to be expected of one"
    where = f"the calibration of {known.created_at:%Y-%m-%d}"
    if known.highest_level is None:
        return None, f"{where} passed at no level of load on this host"
    # Longer frames are fewer messages for the same call.
    calls = max(1, math.floor(known.highest_level / known.workers * frame_ms / known.frame_ms))
    found = f"{where} found that one carries {calls:,}"
    return calls, f"{found} (with frames of {known.frame_ms} ms, scaled)" if frame_ms != known.frame_ms else found
