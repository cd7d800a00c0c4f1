"""`bench quality`: spoken questions with known answers.

In: words on a command line; out: an exit code. As in `cli`, nothing heavy is imported at the top.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated, Literal

import typer

from bench.errors import ExitCode

quality_app = typer.Typer(help="Ask spoken questions with known answers.", no_args_is_help=True)


@quality_app.command("prepare")
def quality_prepare(
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where recordings and scenario are written.")],
    questions: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="Questions as JSON lines; default: the shipped ones.")
    ] = None,
    style: Annotated[
        Literal["own", "gsm8k", "mmlu", "humaneval"],
        typer.Option("--format", help="What a line of the file looks like."),
    ] = "own",
    limit: Annotated[int | None, typer.Option("--limit", min=1, metavar="N", help="Only the first N.")] = None,
    voice: Annotated[str, typer.Option("--voice", help="Voice of the embedded synthesiser.")] = "alloy",
    recordings: Annotated[
        Path | None, typer.Option("--recordings", metavar="DIR", help="Your own recordings, ID.wav, in its place.")
    ] = None,
) -> int:
    """Make recordings, a catalogue and a scenario of a set of questions; bench run plays it."""
    from bench.quality.prepare import prepare
    from bench.quality.questions import own_questions, read_questions

    path = questions or own_questions()
    every, unspoken = read_questions(path, style)
    found = every[:limit]
    scenario = prepare(found, out, name=f"quality-{path.stem}"[:64], voice=voice, recordings=recordings)
    print(f"{len(found)} questions in {scenario}")
    for why, count in Counter(unspoken).most_common():
        print(f"{count} left out: {why}")
    print(f"bench run {scenario}")
    return int(ExitCode.PASS)
