"""`bench cost`: what a scenario will cost, before it is run.

In: words on a command line; out: an exit code. As in `cli`, nothing heavy is imported at the top.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.errors import BenchError, ExitCode
from bench.terminal import readable, say


def cost(
    path: Annotated[
        Path, typer.Argument(metavar="SCENARIO", help="A scenario file (YAML), or the name of a shipped one.")
    ],
    target: Annotated[
        str | None, typer.Option("--target", metavar="NAME", help="Which of the scenario's targets.")
    ] = None,
    url: Annotated[
        str | None,
        typer.Option("--url", metavar="URL", help="As in bench run: not the embedded server."),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="PATH=VALUE", help="Override a key, such as estimate.reply=4s."),
    ] = None,
    seed: Annotated[int | None, typer.Option("--seed", metavar="N", help="Override the scenario's seed.")] = None,
    like: Annotated[
        Path | None,
        typer.Option("--like", metavar="RUN", help="Assume replies, cache and tokens as in this run folder."),
    ] = None,
) -> int:
    """Estimate what a scenario will cost, by meter, turn, call and minute. Nothing is sent."""
    if (path / "run.json").exists():
        raise BenchError(
            f"{path} is a run folder, and the estimate is of a scenario",
            hint=f"bench report {path} shows its bill; to assume its replies: bench cost SCENARIO --like {path}",
        )
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
    say(cost_text(scenario.name, found, scenario.budget))
    return int(ExitCode.PASS)
