"""`bench live`: a run in a browser.

In: words on a command line; out: an exit code. As in `cli`, nothing heavy is imported at the top.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.errors import BenchError, ExitCode
from bench.terminal import readable


def live(
    run_or_scenario: Annotated[
        Path,
        typer.Argument(
            metavar="RUN|SCENARIO", help="A run folder, to be watched; or a scenario, to talk to its target."
        ),
    ],
    target: Annotated[
        str | None, typer.Option("--target", metavar="NAME", help="With a scenario: which of its targets.")
    ] = None,
    url: Annotated[
        str | None, typer.Option("--url", metavar="URL", help="With a scenario: call this server in its dialect.")
    ] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="PATH=VALUE", help="With a scenario: override a key.")
    ] = None,
    port: Annotated[
        int, typer.Option("--port", metavar="PORT", min=0, max=65535, help="Port of the page; 0 takes a free one.")
    ] = 8089,
    host: Annotated[str, typer.Option("--host", metavar="HOST", help="Address of the page.")] = "127.0.0.1",
) -> int:
    """Show a run in a browser, or talk to a scenario's target there, each turn measured as in a run."""
    from bench.live.address import LiveAddress

    address = LiveAddress(host, port, options=("--port", "--host"))
    if run_or_scenario.is_dir():
        if target or url or set_:
            raise BenchError(
                f"{run_or_scenario}: is a run folder, and --target, --url and --set go with a scenario",
                hint="leave them out, or name a scenario",
            )
        from bench.live.watch import watch_run

        watch_run(run_or_scenario, address)
        return int(ExitCode.PASS)
    from bench.live.serve_talk import serve_talk
    from bench.scenario.read import load_scenario

    serve_talk(load_scenario(run_or_scenario, overrides=readable(set_ or []), url=url, target_name=target), address)
    return int(ExitCode.PASS)
