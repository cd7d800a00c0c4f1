"""`bench calibrate`: how wrong the harness itself is on this machine.

In: words on a command line; out: an exit code. As in `cli`, nothing heavy is imported at the top.
"""

from __future__ import annotations

from typing import Annotated

import typer

from bench.cli_options import patch_first
from bench.errors import ExitCode


def calibrate(
    at: Annotated[
        str, typer.Option("--at", metavar="N,N,...", help="Numbers of simultaneous calls.")
    ] = "25,50,100,200",
    frame: Annotated[str, typer.Option(metavar="DURATION", help="Audio in each message.")] = "20ms",
    workers: Annotated[int, typer.Option(min=1, metavar="N", help="Worker processes that make the calls.")] = 1,
    servers: Annotated[int, typer.Option(min=1, metavar="N", help="Processes of the truth server.")] = 1,
    seconds: Annotated[float, typer.Option(min=2, metavar="S", help="Time at each level, after its ramp.")] = 20.0,
    tls: Annotated[bool, typer.Option("--tls", help="Over wss, with a certificate made for the occasion.")] = False,
    nagle: Annotated[
        bool, typer.Option("--nagle", help="Against a server that gathers small messages (Nagle's algorithm).")
    ] = False,
    burner: Annotated[
        float, typer.Option(metavar="MS", help="Hold each worker's loop for so long, again and again.")
    ] = 0.0,
    error_bound: Annotated[float, typer.Option(metavar="MS", help="Error p99 within which a level passes.")] = 1.0,
) -> int:
    """Measure this machine's own measurement error, by number of calls; reports cite the newest."""
    patch_first()
    from rich.console import Console

    from bench.calibrate.levels import CalibrateOptions
    from bench.calibrate.levels import calibrate as measure
    from bench.calibrate.table import render_calibration

    options = CalibrateOptions.at(
        at,
        frame,
        workers=workers,
        servers=servers,
        seconds=seconds,
        tls=tls,
        nagle=nagle,
        burner_ms=burner,
        error_bound_ms=error_bound,
    )
    console = Console(soft_wrap=True, highlight=False)
    found = measure(options, lambda line: console.print(line, markup=False))
    print(render_calibration(found))
    return int(ExitCode.PASS if found.highest_level is not None else ExitCode.INVALID_GENERATOR)
