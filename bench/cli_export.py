"""`bench export`, and the options of `bench run` that export while it goes on.

In: words on a command line; out: an exit code. As in `cli`, nothing heavy is imported at the top.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.errors import BenchError, ExitCode

if TYPE_CHECKING:
    from contextlib import ExitStack

    from rich.console import Console

    from bench.export.asked import Asked
    from bench.report.findings import Summary
    from bench.run.lifecycle import OpenWatcher

PrometheusOption = Annotated[
    str | None,
    typer.Option(
        "--prometheus",
        metavar="[HOST:]PORT",
        help="Serve /metrics for Prometheus while the run goes on; HOST: 127.0.0.1 if not given.",
    ),
]
LingerOption = Annotated[
    str | None,
    typer.Option(
        "--prometheus-linger", metavar="DURATION", help="With --prometheus: so much longer, for the last scrape."
    ),
]
TextfileOption = Annotated[
    Path | None,
    typer.Option("--prometheus-textfile", metavar="FILE", help="Write FILE.prom for node_exporter at the end."),
]
OtlpOption = Annotated[
    str | None,
    typer.Option(
        "--otlp",
        metavar="URL",
        help="Send metrics and traces to this OpenTelemetry collector, over HTTP; env: to OTEL_EXPORTER_OTLP_ENDPOINT.",
    ),
]
TracesOption = Annotated[
    str | None,
    typer.Option("--otlp-traces", metavar="SHARE", help="With --otlp: share of calls with spans. Default: 100%."),
]
TextsOption = Annotated[
    bool, typer.Option("--otlp-texts", help="With --otlp: spans hold what was said, and arguments of tools.")
]


def exports_asked(
    prometheus: str | None = None,
    linger: str | None = None,
    textfile: Path | None = None,
    otlp: str | None = None,
    traces: str | None = None,
    texts: bool = False,
) -> Asked:
    """What the options ask for. Raises `BenchError` for what cannot be done."""
    from bench.export.asked import Asked, address_of, check_installed, linger_of, textfile_of
    from bench.export.otlp.asked import otlp_of

    if linger is not None and prometheus is None:
        raise BenchError("--prometheus-linger goes with --prometheus", hint="add --prometheus PORT")
    if otlp is None and (traces is not None or texts):
        raise BenchError("--otlp-traces and --otlp-texts go with --otlp", hint="add --otlp URL")
    asked = Asked(
        prometheus=None if prometheus is None else address_of(prometheus),
        linger_s=linger_of(linger),
        textfile=None if textfile is None else textfile_of(textfile),
        otlp=None if otlp is None else otlp_of(otlp, traces, texts=texts),
    )
    check_installed(asked)
    return asked


def live_exports(asked: Asked, stack: ExitStack, console: Console) -> list[OpenWatcher]:
    """What watches the run while it goes on; it ends with `stack`."""
    if not asked.live:
        return []
    from bench.export.feed import Exports

    return [stack.enter_context(Exports(asked, console)).open]


def leave_textfile(asked: Asked, run: Path, summary: Summary) -> None:
    """The file for node_exporter, where one is asked for."""
    if asked.textfile is None:
        return
    from bench.export.textfile import write_textfile
    from bench.store.reader import read_run

    write_textfile(asked.textfile, read_run(run), summary)


def export(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")],
    prometheus_textfile: TextfileOption = None,
    otlp: OtlpOption = None,
    otlp_traces: TracesOption = None,
    otlp_texts: TextsOption = False,
) -> int:
    """Export a stored run as bench run does at its end."""
    from bench.report.summary import summarise
    from bench.store.reader import read_run

    asked = exports_asked(textfile=prometheus_textfile, otlp=otlp, traces=otlp_traces, texts=otlp_texts)
    if asked.textfile is None and asked.otlp is None:
        raise BenchError("nothing to export to", hint="name a file with --prometheus-textfile FILE.prom, or --otlp URL")
    stored = read_run(run)
    summary = summarise(stored)
    if asked.textfile is not None:
        from bench.export.textfile import write_textfile

        write_textfile(asked.textfile, stored, summary)
        print(f"wrote {asked.textfile}")
    if asked.otlp is not None:
        from bench.export.otlp.stored import send_run

        sent = send_run(asked.otlp, stored, summary)
        print(f"sent {sent.metrics:,} metrics and {sent.spans:,} spans to {sent.where}")
    return int(ExitCode.PASS)
