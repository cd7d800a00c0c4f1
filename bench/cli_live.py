"""`bench live`: a run in a browser.

In: words on a command line; out: an exit code. As in `cli`, nothing heavy is imported at the top.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.errors import ExitCode


def live(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder; its run may still go on.")],
    port: Annotated[
        int, typer.Option("--port", metavar="PORT", min=0, max=65535, help="Port of the page; 0 takes a free one.")
    ] = 8089,
    host: Annotated[str, typer.Option("--host", metavar="HOST", help="Address of the page.")] = "127.0.0.1",
) -> int:
    """Show a run in a browser: one that goes on, as its rows are written, or a stored one."""
    from bench.live.address import LiveAddress
    from bench.live.watch import watch_run

    watch_run(run, LiveAddress(host, port, options=("--port", "--host")))
    return int(ExitCode.PASS)
