"""`bench cost`: what a scenario will cost before it is run, and what a stored run cost and tells of a launch.

In: words on a command line; out: an exit code. As in `cli`, nothing heavy is imported at the top.
Trap: the argument is a run if it is a folder with a `run.json`, else a scenario; options of the one are refused with
the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from bench.errors import BenchError, ExitCode
from bench.terminal import fitted, output_width, readable, say

LONGEST_MINUTES = 240
MOST_CALLS = 100_000_000


def cost(
    path: Annotated[
        Path,
        typer.Argument(
            metavar="SCENARIO|RUN", help="A scenario (file, or the name of a shipped one), or a run folder."
        ),
    ],
    target: Annotated[
        str | None, typer.Option("--target", metavar="NAME", help="Which of the scenario's or run's targets.")
    ] = None,
    url: Annotated[
        str | None,
        typer.Option("--url", metavar="URL", help="SCENARIO: as in bench run, not the embedded server."),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="PATH=VALUE", help="SCENARIO: override a key, such as estimate.reply=4s."),
    ] = None,
    seed: Annotated[
        int | None, typer.Option("--seed", metavar="N", help="SCENARIO: override the scenario's seed.")
    ] = None,
    like: Annotated[
        Path | None,
        typer.Option("--like", metavar="RUN", help="SCENARIO: assume replies, cache and tokens as in this run folder."),
    ] = None,
    calls_per_day: Annotated[
        float | None, typer.Option("--calls-per-day", metavar="N", help="RUN: project a launch with so many calls.")
    ] = None,
    minutes: Annotated[
        float | None,
        typer.Option("--minutes", metavar="M", help="RUN: project calls of this length. Default: the run's mean."),
    ] = None,
    peak_hour: Annotated[
        str | None,
        typer.Option("--peak-hour", metavar="P%", help="RUN: the part of a day's calls in its busiest hour, as 12%."),
    ] = None,
    days: Annotated[
        int, typer.Option("--days", metavar="N", min=1, max=31, help="RUN: days of a month with so many calls.")
    ] = 30,
    models: Annotated[
        str | None, typer.Option("--models", metavar="A,B,...", help="RUN: price the same traffic as other models.")
    ] = None,
    prices: Annotated[
        str | None, typer.Option("--prices", metavar="BOOK", help="RUN: at the prices of this book.")
    ] = None,
    transcription_model: Annotated[
        str | None,
        typer.Option("--transcription-model", metavar="MODEL", help="RUN: with --models, transcribed by this one."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="RUN: the same for programs.")] = False,
) -> int:
    """What a scenario will cost, or what a run cost and what a launch would. Nothing is sent."""
    of_scenario = {"--url": url, "--set": set_, "--seed": seed, "--like": like}
    of_launch = {"--calls-per-day": calls_per_day, "--minutes": minutes, "--peak-hour": peak_hour}
    others = {"--models": models, "--prices": prices, "--transcription-model": transcription_model, "--json": json}
    if not (path / "run.json").exists():
        _refuse({**of_launch, **others}, f"{path} is not a run folder", "which has a run.json")
        return _scenario(path, target, url, set_, seed, like)
    _refuse(
        of_scenario, f"{path} is a run folder", "and not a scenario; to assume its replies: bench cost SCENARIO --like"
    )
    from bench.report.bill_projection import Launch
    from bench.report.run_cost import Asked, run_cost, run_cost_text
    from bench.report.terminal import LINE_WIDTH

    if peak_hour is not None and calls_per_day is None:
        raise BenchError("--peak-hour is a part of a day's calls", hint="add --calls-per-day N")
    if transcription_model is not None and models is None:
        raise BenchError("--transcription-model goes with --models", hint="add --models A,B,...")
    launch = Launch(
        _number("--calls-per-day", calls_per_day, MOST_CALLS),
        _number("--minutes", minutes, LONGEST_MINUTES),
        None if peak_hour is None else _share(peak_hour),
        days,
    )
    asked = Asked(
        launch=launch,
        project=any(value is not None for value in of_launch.values()),
        models=tuple(dict.fromkeys(name.strip() for name in (models or "").split(",") if name.strip())),
        book=prices,
        transcription_model=transcription_model,
        target=target,
    )
    found = run_cost(path, asked)
    say(found.model_dump_json(indent=2) if json else run_cost_text(found, output_width(LINE_WIDTH)))
    return int(ExitCode.PASS)


def _scenario(
    path: Path, target: str | None, url: str | None, set_: list[str] | None, seed: int | None, like: Path | None
) -> int:
    from bench.load.factory import fixtures_of
    from bench.run.cost_text import cost_text
    from bench.run.estimate import estimate
    from bench.run.like_run import assumption_like
    from bench.scenario.books import books_of
    from bench.scenario.read import load_scenario

    changes = [*readable(set_ or []), *([] if seed is None else [f"seed={seed}"])]
    scenario = load_scenario(path, overrides=changes, url=url, target_name=target)
    assumption = None if like is None else assumption_like(like, scenario)
    found = estimate(scenario, fixtures_of(scenario), books_of(scenario), assumption)
    say(fitted(cost_text(scenario.name, found, scenario.budget)))
    return int(ExitCode.PASS)


def _refuse(options: Mapping[str, object], what: str, why: str) -> None:
    """Options that say nothing of what was named."""
    given = [name for name, value in options.items() if value]
    if given:
        like = "; to assume the replies of a run: bench cost SCENARIO --like RUN" if "--like" in given else ""
        raise BenchError(f"{what}, {why}", hint=f"leave out {', '.join(given)}{like}")


def _number(option: str, value: float | None, most: float) -> float | None:
    if value is not None and not 0 < value <= most:
        raise BenchError(f"{option}: found {value:g}; allowed: a number above 0, {most:,} at most")
    return value


def _share(text: str) -> float:
    number = text.strip().removesuffix("%").strip()
    allowed = "allowed: a part of the day's calls above 0 % and up to 100 %, such as 12%"
    try:
        value = float(number)
    except ValueError:
        value = 0.0
    if not text.strip().endswith("%") or not 0 < value <= 100:
        raise BenchError(f"--peak-hour: found '{text}'; {allowed}")
    return value / 100
