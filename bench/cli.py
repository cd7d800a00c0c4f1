"""The `bench` command: thin verbs, each of which loads only the rooms it needs.

In: words on a command line; out: an exit code. Trap: nothing heavy may be imported at the top of
this file; `bench --help` is typed more often than any other command, and importing Locust rewires the process.
"""

from __future__ import annotations

import gc
import sys
from typing import Annotated, NoReturn

import typer

from bench.cli_calibrate import calibrate
from bench.cli_compare import compare
from bench.cli_cost import cost
from bench.cli_events import events
from bench.cli_export import export
from bench.cli_fixtures import fixtures_app
from bench.cli_gate import gate
from bench.cli_history import history_app
from bench.cli_live import live
from bench.cli_quality import quality_app
from bench.cli_report import report
from bench.cli_run import run, worker
from bench.cli_scenario import init, scenarios, schema, validate
from bench.cli_serve import serve
from bench.cli_site import site
from bench.errors import BenchError, ExitCode
from bench.terminal import drop_output, make_streams_safe

_SIGPIPE = 141
"""What a shell makes of a command whose output nobody read to its end."""

app = typer.Typer(
    name="bench",
    help="Load-test and benchmark realtime voice endpoints, with numbers that can be trusted.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for _verb in (
    # As a reader of `bench --help` meets them: write a scenario, run it, look at it, compare, what else is there.
    init,
    scenarios,
    validate,
    schema,
    cost,
    run,
    live,
    report,
    events,
    export,
    compare,
    gate,
    site,
    serve,
    worker,
    calibrate,
):
    app.command()(_verb)
app.add_typer(fixtures_app, name="fixtures")
app.add_typer(quality_app, name="quality")
app.add_typer(history_app, name="history")


def main() -> NoReturn:
    """Run the command line; a `BenchError` becomes a sentence on stderr and its exit code."""
    make_streams_safe()
    code = _exit_code()
    # At its end the interpreter collects garbage several times over. After a run that took a third of a second.
    gc.freeze()
    sys.exit(code)


def _exit_code() -> int:
    try:
        code = app(standalone_mode=False)
    except BenchError as error:
        print(f"error: {error.message}", file=sys.stderr)
        if error.hint:
            print(f"hint: {error.hint}", file=sys.stderr)
        return int(error.exit_code)
    except KeyboardInterrupt:
        return int(ExitCode.INTERRUPTED)
    except BrokenPipeError:
        drop_output()
        return _SIGPIPE
    except Exception as error:
        return _unexpected(error)
    return code if isinstance(code, int) else 0


def _unexpected(error: Exception) -> int:
    """Exit code of a complaint of the command-line parser, which is shown; anything else is a bug, with its traceback.

    A bug must not look like a failed threshold to a CI job, so it does not end with Python's own code 1.
    """
    show = getattr(error, "show", None)
    if show is not None:
        show()
        return int(ExitCode.USAGE)
    if type(error).__name__ == "Abort":
        return int(ExitCode.INTERRUPTED)
    import traceback

    traceback.print_exception(error)
    print("error: this is a bug in realtime-voice-bench; rows written so far are kept", file=sys.stderr)
    return int(ExitCode.BUG)


def _version(wanted: bool) -> None:
    if wanted:
        from bench import __version__

        typer.echo(f"realtime-voice-bench {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Load-test and benchmark realtime voice endpoints, with numbers that can be trusted."""
