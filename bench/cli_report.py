"""`bench report`: the reports of a stored run, rendered or measured again.

In: words on a command line; out: the exit code of the run. As in `cli`, nothing heavy is imported at the top.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.errors import BenchError
from bench.terminal import output_width, say


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
