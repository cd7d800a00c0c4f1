"""The `bench` command: thin verbs, each of which loads only the rooms it needs.

In: words on a command line; out: an exit code. Trap: nothing heavy may be imported at the top of
this file; `bench --help` is typed more often than any other command, and importing Locust rewires the process.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from bench.cli_compare import compare
from bench.cli_cost import cost
from bench.cli_events import events
from bench.cli_export import (
    LingerOption,
    PrometheusOption,
    TextfileOption,
    export,
    exports_asked,
    leave_textfile,
    live_exports,
)
from bench.cli_fixtures import fixtures_app
from bench.cli_gate import gate
from bench.cli_history import history_app
from bench.cli_live import live
from bench.cli_quality import quality_app
from bench.cli_site import site
from bench.errors import BenchError, ExitCode
from bench.terminal import drop_output, make_streams_safe, open_console, output_width, readable, say

if TYPE_CHECKING:
    from bench.scenario.model import Scenario

_SIGPIPE = 141
"""What a shell makes of a command whose output nobody read to its end."""

app = typer.Typer(
    name="bench",
    help="Load-test and benchmark realtime voice endpoints, with numbers that can be trusted.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(fixtures_app, name="fixtures")
app.add_typer(quality_app, name="quality")
app.add_typer(history_app, name="history")
app.command()(cost)
app.command()(compare)
app.command()(gate)
app.command()(export)
app.command()(site)
app.command()(live)
app.command()(events)


def _scenarios_and_files(incomplete: str) -> list[str]:
    """For the shell: shipped scenarios by name, then YAML files and folders."""
    from glob import escape, glob

    from bench.scenario.listing import SUFFIXES, scenario_names

    found = [Path(path) for path in sorted(glob(f"{escape(incomplete)}*"))]
    files = [f"{path}/" if path.is_dir() else str(path) for path in found if path.is_dir() or path.suffix in SUFFIXES]
    return [*(name for name in scenario_names() if name.startswith(incomplete)), *files]


ScenarioArgument = Annotated[
    Path,
    typer.Argument(
        metavar="SCENARIO",
        help="A scenario file (YAML), or the name of a shipped one (bench scenarios).",
        autocompletion=_scenarios_and_files,
    ),
]
TargetOption = Annotated[str | None, typer.Option("--target", metavar="NAME", help="Which of the scenario's targets.")]
UrlOption = Annotated[
    str | None, typer.Option("--url", metavar="URL", help="Call this server in the scenario's dialect.")
]
SetOption = Annotated[
    list[str] | None, typer.Option("--set", metavar="PATH=VALUE", help="Override a key, such as load.callers=50.")
]
ThresholdOption = Annotated[
    list[str] | None,
    typer.Option("--threshold", metavar="BOUND", help="One more bound, such as 'first_audible_ms: p95 < 800ms'."),
]
SeedOption = Annotated[int | None, typer.Option("--seed", metavar="N", help="Override the scenario's seed.")]
TokenOption = Annotated[
    str | None,
    typer.Option(
        "--token",
        metavar="REF",
        help="What master and workers prove to each other: env:NAME or file:PATH; default: env:BENCH_WORKER_TOKEN.",
    ),
]


def main() -> NoReturn:
    """Run the command line; a `BenchError` becomes a sentence on stderr and its exit code."""
    make_streams_safe()
    try:
        code = app(standalone_mode=False)
    except BenchError as error:
        print(f"error: {error.message}", file=sys.stderr)
        if error.hint:
            print(f"hint: {error.hint}", file=sys.stderr)
        sys.exit(int(error.exit_code))
    except KeyboardInterrupt:
        sys.exit(int(ExitCode.INTERRUPTED))
    except BrokenPipeError:
        drop_output()
        sys.exit(_SIGPIPE)
    except Exception as error:
        sys.exit(_unexpected(error))
    sys.exit(code if isinstance(code, int) else 0)


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


def _load(
    path: Path,
    target: str | None,
    url: str | None,
    overrides: list[str] | None,
    seed: int | None,
    *,
    choose_target: bool = True,
    thresholds: list[str] | None = None,
) -> Scenario:
    from bench.scenario.read import load_scenario

    changes = [*readable(overrides or []), *([] if seed is None else [f"seed={seed}"])]
    return load_scenario(
        path,
        overrides=changes,
        url=url,
        target_name=target,
        choose_target=choose_target,
        thresholds=readable(thresholds or []),
    )


@app.command()
def run(
    scenario: ScenarioArgument,
    target: TargetOption = None,
    url: UrlOption = None,
    set_: SetOption = None,
    threshold: ThresholdOption = None,
    out: Annotated[Path | None, typer.Option("--out", metavar="DIR", help="Run folder, used exactly as given.")] = None,
    seed: SeedOption = None,
    workers: Annotated[
        int, typer.Option("--workers", metavar="N", min=0, help="Make the calls from N processes of this machine.")
    ] = 0,
    master: Annotated[
        bool, typer.Option("--master", help="Wait for workers on other machines (bench worker) and lead them.")
    ] = False,
    expect_workers: Annotated[
        int, typer.Option("--expect-workers", metavar="N", min=1, help="With --master: how many to wait for.")
    ] = 1,
    bind: Annotated[
        str, typer.Option("--bind", metavar="HOST:PORT", help="With --master: where workers find it.")
    ] = "*:5557",
    live_page: Annotated[
        bool, typer.Option("--live", "--web", help="Show the run on a web page while it goes on, which can stop it.")
    ] = False,
    live_port: Annotated[
        int | None,
        typer.Option(
            "--live-port",
            "--web-port",
            metavar="PORT",
            min=0,
            max=65535,
            help="With --live: its port; 0 takes a free one. Default: 8089.",
        ),
    ] = None,
    live_host: Annotated[
        str | None,
        typer.Option("--live-host", "--web-host", metavar="HOST", help="With --live: its address. Default: 127.0.0.1."),
    ] = None,
    prometheus: PrometheusOption = None,
    prometheus_linger: LingerOption = None,
    prometheus_textfile: TextfileOption = None,
    token: TokenOption = None,
    yes: Annotated[
        bool,
        typer.Option("--yes", "-y", help="Run against a paid endpoint without a budget, unasked."),
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would run, and run nothing.")] = False,
    burner: Annotated[float, typer.Option("--burner", metavar="MS", hidden=True)] = 0.0,
) -> int:
    """Run a scenario and write its report. Without a target, the embedded server is called."""
    if not live_page and (live_port is not None or live_host is not None):
        raise BenchError("--live-port and --live-host go with --live", hint="add --live")
    asked = exports_asked(prometheus, prometheus_linger, prometheus_textfile)
    loaded = _load(scenario, target, url, set_, seed, thresholds=threshold)
    if dry_run:
        from bench.run.plan import plan_text

        print(plan_text(loaded))
        return int(ExitCode.PASS)
    _patch_first()
    from contextlib import ExitStack

    from bench.live.address import DEFAULT_HOST, DEFAULT_PORT, LiveAddress
    from bench.live.feed import LivePage
    from bench.live.talk_source import TalkSource
    from bench.load.spec import Workforce
    from bench.report.render import UnwrittenReportError
    from bench.report.step_summary import tell_ci
    from bench.report.terminal import LINE_WIDTH, render_terminal
    from bench.run.consent import asker, get_consent
    from bench.run.lifecycle import run_scenario
    from bench.run.own_servers import has_cascade
    from bench.run.screen import open_screen
    from bench.workers.trust import token_of

    get_consent(loaded, yes=yes, ask=asker())
    console = open_console()
    watchers = [open_screen(console)]
    workforce = Workforce(local=workers, burner_ms=burner)
    if master:
        workforce = Workforce.at(bind, local=workers, remote=expect_workers, token=token_of(token))
    if loaded.target is None and not loaded.targets:
        console.print("starting the embedded server ...", highlight=False)
    elif has_cascade(loaded):
        console.print("starting the cascade ...", highlight=False)
    command = ["bench", *readable(sys.argv[1:])]
    with ExitStack() as stack:
        if live_page:
            port = DEFAULT_PORT if live_port is None else live_port
            source = TalkSource(str(scenario), readable(set_ or []), url, target)
            page = stack.enter_context(LivePage(LiveAddress(live_host or DEFAULT_HOST, port), console, source))
            watchers.append(page.open)
        watchers += live_exports(asked, stack, console)
        try:
            outcome = run_scenario(loaded, out=out, command=command, workforce=workforce, watchers=watchers)
        except UnwrittenReportError as error:
            say(render_terminal(error.summary, error.folder, output_width(LINE_WIDTH)))
            raise
    say(render_terminal(outcome.summary, outcome.folder.root, output_width(LINE_WIDTH)))
    leave_textfile(asked, outcome.folder.root, outcome.summary)
    for line in tell_ci(outcome.summary):
        say(f"{line}\n")
    return outcome.exit_code


def _patch_first() -> None:
    """Locust patches the standard library when it is imported; nothing that opens sockets may come before it."""
    import bench.workers.link  # noqa: F401


@app.command()
def worker(
    master_host: Annotated[str, typer.Option("--master-host", metavar="HOST", help="Where the master is.")],
    master_port: Annotated[int, typer.Option("--master-port", metavar="PORT", help="Its port.")] = 5557,
    spool: Annotated[
        Path | None, typer.Option("--spool", metavar="DIR", help="Where this worker keeps its own copy of its rows.")
    ] = None,
    token: TokenOption = None,
    local_index: Annotated[int | None, typer.Option("--local-index", hidden=True)] = None,
    burner: Annotated[float, typer.Option("--burner", hidden=True)] = 0.0,
) -> int:
    """Make calls for a master on another machine, until it says that the run is over."""
    _patch_first()
    from bench.workers.trust import token_of
    from bench.workers.worker_process import serve_worker

    secret = "" if local_index is not None else token_of(token)
    return serve_worker(master_host, master_port, secret, spool=spool, index=local_index, burner_ms=burner)


@app.command()
def report(
    run_folder: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")],
    recompute: Annotated[
        bool, typer.Option("--recompute", help="Measure every turn again from the raw events.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Write the reports here, not into RUN.")
    ] = None,
    png: Annotated[bool, typer.Option("--png", help="Also draw the charts as pictures, into RUN/charts.")] = False,
    book: Annotated[
        str | None, typer.Option("--book", metavar="BOOK", help="With --recompute: price with this book.")
    ] = None,
    price_as: Annotated[
        str | None, typer.Option("--price-as", metavar="MODEL", help="With --prices or --recompute: as this model.")
    ] = None,
    reply_words: Annotated[
        str | None,
        typer.Option(
            "--reply-words",
            metavar="NAME",
            help="Listen to the recorded replies with this recogniser: pocketsphinx, or module:function.",
        ),
    ] = None,
    prices: Annotated[
        str | None,
        typer.Option(
            "--prices", metavar="BOOK", help="At the prices of this book, without measuring again; RUN is not changed."
        ),
    ] = None,
) -> int:
    """Render the reports of any run again, also of one that was killed."""
    from bench.report.render import UnwrittenReportError, write_reports
    from bench.report.reprice import reprice
    from bench.report.terminal import LINE_WIDTH, render_terminal
    from bench.store.finish import reopen
    from bench.store.reader import read_run

    if (book or (price_as and not prices)) and not recompute:
        hint = "add --recompute; or to see other prices without changing the run: --prices BOOK [--price-as MODEL]"
        raise BenchError("--book and --price-as go with --recompute", hint=hint)
    if prices and reply_words:
        raise BenchError(
            "--prices changes nothing in RUN, and --reply-words does", hint="give one of them, then the other"
        )
    if prices and recompute:
        raise BenchError("--prices changes nothing in RUN, and --recompute does", hint="with --recompute use --book")
    if recompute:
        from bench.run.recompute import recompute as measure_again

        stored = measure_again(run_folder, book=book, price_as=price_as)
    else:
        stored = reopen(run_folder) if out is None and not prices else read_run(run_folder)
    if reply_words:
        from bench.run.recogniser import recogniser_of
        from bench.run.reply_words import listen

        stored = listen(stored, recogniser_of(reply_words, Path.cwd()))
    again = reprice(stored, prices, price_as) if prices else None
    out = out or (again.folder if again else None)
    try:
        summary = write_reports(stored, out=out, again=again)
    except UnwrittenReportError as error:
        say(render_terminal(error.summary, run_folder, output_width(LINE_WIDTH)))
        raise
    say(render_terminal(summary, out or run_folder, output_width(LINE_WIDTH)))
    if png:
        from bench.report.figures import write_figures

        for path in write_figures(summary, (out or run_folder) / "charts"):
            print(f"  Chart                            {path}")
    return summary.verdict.exit_code


@app.command()
def validate(
    scenario: ScenarioArgument, target: TargetOption = None, url: UrlOption = None, set_: SetOption = None
) -> int:
    """Check a scenario and its fixtures; every problem is shown at once."""
    from bench.run.plan import recording_warnings, summary_line

    loaded = _load(scenario, target, url, set_, None, choose_target=False)
    if target is not None or len(loaded.targets) < 2 or loaded.load.interleave:
        loaded = _load(scenario, target, url, set_, None)
    print(f"{scenario}: ok. {summary_line(loaded)}")
    for warning in recording_warnings(loaded):
        print(f"warning: {warning}", file=sys.stderr)
    return int(ExitCode.PASS)


@app.command()
def scenarios() -> int:
    """List the scenarios and profiles that come with the package, to be used by name."""
    from bench.scenario.listing import shipped_profiles, shipped_scenarios

    print("scenarios, for bench run NAME:")
    for each in shipped_scenarios():
        print(f"  {each.name:<16} {each.sentence}")
    print("profiles, for bench serve --engine simulated --profile NAME:")
    for each in shipped_profiles():
        print(f"  {each.name:<16} {each.sentence}")
    return int(ExitCode.PASS)


@app.command()
def schema() -> int:
    """Print the JSON schema of scenarios, for editors."""
    import json

    from bench.scenario.schema import json_schema

    print(json.dumps(json_schema(), indent=2))
    return int(ExitCode.PASS)


@app.command()
def init(
    dest: Annotated[Path, typer.Argument(metavar="FILE", help="Where to write it.")] = Path("scenario.yaml"),
) -> int:
    """Write a commented scenario to start from."""
    from bench.scenario.init import init_scenario

    written = init_scenario(dest)
    print(f"wrote {written}; run it with: bench run {written}")
    return int(ExitCode.PASS)


@app.command()
def calibrate(
    at: Annotated[
        str, typer.Option("--at", metavar="N,N,...", help="Numbers of simultaneous calls.")
    ] = "25,50,100,200",
    frame: Annotated[str, typer.Option(metavar="DURATION", help="Audio in each message.")] = "20ms",
    workers: Annotated[int, typer.Option(min=1, help="Worker processes that make the calls.")] = 1,
    servers: Annotated[int, typer.Option(min=1, help="Processes of the truth server.")] = 1,
    seconds: Annotated[float, typer.Option(min=2, help="Time at each level, after its ramp.")] = 20.0,
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
    _patch_first()
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


@app.command()
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
    processes: Annotated[int, typer.Option(min=1, help="With --engine simulated: processes on one port.")] = 1,
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
    port: Annotated[int, typer.Option(help="Port to listen on; 0 takes a free one.")] = 8765,
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
