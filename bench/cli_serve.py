"""`bench serve`: a server to try things on.

In: words on a command line; out: an exit code. As in `cli`, nothing heavy is imported at the top.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.errors import ExitCode


def serve(
    engine: Annotated[
        str,
        typer.Option(
            help="What answers: local (recognises, thinks, speaks), simulated (does as a profile says) or cascade "
            "(calls three services)."
        ),
    ] = "local",
    dialect: Annotated[
        str, typer.Option("--dialect", metavar="NAME", help="The protocol that it speaks, as target.dialect names it.")
    ] = "openai",
    profile: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="With --engine simulated: delays, limits, faults; a file or shipped name."),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option("--config", metavar="FILE", help="With --engine cascade: the services that it calls."),
    ] = None,
    truth_log: Annotated[
        Path | None, typer.Option("--truth-log", metavar="FILE", help="Write what was heard and sent, and when.")
    ] = None,
    processes: Annotated[
        int, typer.Option(min=1, metavar="N", help="With --engine simulated: processes on one port.")
    ] = 1,
    tokens_per_minute: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="With --engine simulated: tokens per minute of all calls.")
    ] = None,
    requests_per_minute: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="With --engine simulated: responses per minute of all calls.")
    ] = None,
    max_sessions: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="With --engine simulated: most calls open at once.")
    ] = None,
    tls_cert: Annotated[
        Path | None, typer.Option("--tls-cert", metavar="FILE", help="Serve wss with this certificate (PEM).")
    ] = None,
    tls_key: Annotated[Path | None, typer.Option("--tls-key", metavar="FILE", help="Its key, if apart.")] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(metavar="PORT", min=0, max=65535, help="Port to listen on; 0 takes a free one.")
    ] = 8765,
    api_key: Annotated[
        str | None, typer.Option("--api-key", metavar="REF", help="Ask callers for this key: env:NAME or file:PATH.")
    ] = None,
    workers: Annotated[int | None, typer.Option(help="Processes that recognise and speak.")] = None,
    nagle: Annotated[
        bool, typer.Option("--nagle", help="Gather small messages, as servers do that left Nagle's algorithm on.")
    ] = False,
) -> int:
    """Serve the Realtime protocol on this machine: a server to try things on."""
    from bench.config.secrets import secret_option
    from bench.server.options import ServeOptions
    from bench.server.run import serve as serve_forever

    serve_forever(
        ServeOptions(
            engine=engine,
            dialect=dialect,
            host=host,
            port=port,
            api_key=secret_option("--api-key", api_key),
            workers=workers,
            profile=profile,
            config=config,
            truth_log=truth_log,
            processes=processes,
            tokens_per_minute=tokens_per_minute,
            requests_per_minute=requests_per_minute,
            max_sessions=max_sessions,
            tls_cert=tls_cert,
            tls_key=tls_key,
            nagle=nagle,
        )
    )
    return int(ExitCode.PASS)
