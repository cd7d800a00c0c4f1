"""What several verbs share: their options, and how they become a scenario.

In: words on a command line. Out: a checked `Scenario`. As in `cli`, nothing heavy is imported at the top.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.terminal import readable

if TYPE_CHECKING:
    from bench.scenario.model import Scenario


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
    list[str] | None,
    typer.Option("--set", metavar="PATH=VALUE", help="Override a key, such as load.callers=50; repeatable."),
]
ThresholdOption = Annotated[
    list[str] | None,
    typer.Option(
        "--threshold", metavar="BOUND", help="One more bound, such as 'first_audible_ms: p95 < 800ms'; repeatable."
    ),
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


def load(
    path: Path,
    target: str | None,
    url: str | None,
    overrides: list[str] | None,
    seed: int | None,
    *,
    choose_target: bool = True,
    thresholds: list[str] | None = None,
) -> Scenario:
    """The scenario that the options of a command make of the file `path`."""
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


def patch_first() -> None:
    """Locust patches the standard library when it is imported; nothing that opens sockets may come before it."""
    import bench.workers.link  # noqa: F401
