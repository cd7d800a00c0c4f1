"""`python -m bench.server`: the server process as a parent process starts it, without the command-line framework."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from bench.errors import BenchError
from bench.server.options import ENGINES, ServeOptions


def main(argv: list[str] | None = None) -> int:
    defaults = ServeOptions()
    parser = argparse.ArgumentParser(prog="python -m bench.server", description="The reference realtime voice server.")
    parser.add_argument("--host", default=defaults.host)
    parser.add_argument("--port", type=int, default=defaults.port, help="0 takes any free port")
    parser.add_argument("--engine", choices=ENGINES, default=defaults.engine)
    parser.add_argument("--profile", help="settings of an engine that takes them")
    parser.add_argument("--api-key-env", metavar="NAME", help="variable that holds the key callers must show")
    parser.add_argument("--workers", type=int, help="processes for recognition and speech")
    parser.add_argument("--exit-with-stdin", action="store_true", help="stop when standard input ends")
    parser.add_argument("--session-lifetime-s", type=int, default=defaults.session_lifetime_s)
    parser.add_argument("--truth-log", type=Path, help="write what was heard and sent, and when")
    parser.add_argument("--processes", type=int, default=defaults.processes, help="server processes on one port")
    parser.add_argument("--process", type=int, help=argparse.SUPPRESS)  # a process of several, started by the first
    parser.add_argument("--tls-cert", type=Path, help="certificate chain (PEM): serve wss")
    parser.add_argument("--tls-key", type=Path, help="its key, if not in the same file")
    given = parser.parse_args(argv)
    try:
        key = None
        if given.api_key_env is not None:
            key = os.environ.get(given.api_key_env)
            if not key:
                raise BenchError(f"--api-key-env {given.api_key_env}: the variable is not set or empty")
        options = ServeOptions(
            host=given.host,
            port=given.port,
            engine=given.engine,
            profile=given.profile,
            api_key=key,
            workers=given.workers,
            exit_with_stdin=given.exit_with_stdin,
            session_lifetime_s=given.session_lifetime_s,
            truth_log=given.truth_log,
            processes=given.processes,
            process=given.process or 0,
            shared_port=given.process is not None,
            tls_cert=given.tls_cert,
            tls_key=given.tls_key,
        )
        from bench.server.run import serve  # loads the web framework: not needed to print help

        serve(options)
    except BenchError as error:
        print(f"error: {error.message}" + (f"\nhint: {error.hint}" if error.hint else ""), file=sys.stderr)
        return int(error.exit_code)
    return 0


if __name__ == "__main__":
    sys.exit(main())
