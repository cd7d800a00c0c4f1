"""`bench run` and `bench worker`: the verbs that make calls.

In: words on a command line; out: an exit code. As in `cli`, nothing heavy is imported at the top.
Trap: Locust rewires the process when it is imported, so it comes before anything that opens a socket.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from bench.cli_export import (
    LingerOption,
    OtlpOption,
    PrometheusOption,
    TextfileOption,
    TextsOption,
    TracesOption,
    exports_asked,
    leave_textfile,
    live_exports,
)
from bench.cli_options import (
    ScenarioArgument,
    SeedOption,
    SetOption,
    TargetOption,
    ThresholdOption,
    TokenOption,
    UrlOption,
    load,
    patch_first,
)
from bench.errors import BenchError, ExitCode
from bench.terminal import open_console, output_width, readable, say


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
    otlp: OtlpOption = None,
    otlp_traces: TracesOption = None,
    otlp_texts: TextsOption = False,
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
    asked = exports_asked(prometheus, prometheus_linger, prometheus_textfile, otlp, otlp_traces, otlp_texts)
    loaded = load(scenario, target, url, set_, seed, thresholds=threshold)
    if dry_run:
        from bench.run.plan import plan_text

        print(plan_text(loaded))
        return int(ExitCode.PASS)
    patch_first()
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


def worker(
    master_host: Annotated[str, typer.Option("--master-host", metavar="HOST", help="Where the master is.")],
    master_port: Annotated[
        int, typer.Option("--master-port", metavar="PORT", min=1, max=65535, help="Its port.")
    ] = 5557,
    spool: Annotated[
        Path | None, typer.Option("--spool", metavar="DIR", help="Where this worker keeps its own copy of its rows.")
    ] = None,
    token: TokenOption = None,
    local_index: Annotated[int | None, typer.Option("--local-index", hidden=True)] = None,
    burner: Annotated[float, typer.Option("--burner", hidden=True)] = 0.0,
) -> int:
    """Make calls for a master on another machine, until it says that the run is over."""
    patch_first()
    from bench.workers.trust import token_of
    from bench.workers.worker_process import serve_worker

    secret = "" if local_index is not None else token_of(token)
    return serve_worker(master_host, master_port, secret, spool=spool, index=local_index, burner_ms=burner)
