"""`bench init`, `validate`, `scenarios` and `schema`: the verbs that help to write a scenario. They call nobody.

In: words on a command line; out: an exit code. As in `cli`, nothing heavy is imported at the top.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from bench.cli_options import ScenarioArgument, SetOption, TargetOption, UrlOption, load
from bench.errors import ExitCode
from bench.terminal import fitted, folded, terminal_width


def init(
    dest: Annotated[Path, typer.Argument(metavar="FILE", help="Where to write it.")] = Path("scenario.yaml"),
) -> int:
    """Write a commented scenario to start from."""
    from bench.scenario.init import init_scenario

    written = init_scenario(dest)
    print(f"wrote {written}; run it with: bench run {written}")
    return int(ExitCode.PASS)


def validate(
    scenario: ScenarioArgument, target: TargetOption = None, url: UrlOption = None, set_: SetOption = None
) -> int:
    """Check a scenario and its fixtures; every problem is shown at once."""
    from bench.run.plan import recording_warnings, summary_line

    loaded = load(scenario, target, url, set_, None, choose_target=False)
    if target is not None or len(loaded.targets) < 2 or loaded.load.interleave:
        loaded = load(scenario, target, url, set_, None)
    print(fitted(f"{scenario}: ok. {summary_line(loaded)}"))
    for warning in recording_warnings(loaded):
        print(fitted(f"warning: {warning}"), file=sys.stderr)
    return int(ExitCode.PASS)


def scenarios() -> int:
    """List the scenarios and profiles that come with the package, to be used by name."""
    from bench.scenario.listing import shipped_profiles, shipped_scenarios

    kinds = {
        "scenarios, for bench run NAME:": shipped_scenarios(),
        "profiles, for bench serve --engine simulated --profile NAME:": shipped_profiles(),
    }
    names = max(len(each.name) for listed in kinds.values() for each in listed)
    width = terminal_width()
    for title, listed in kinds.items():
        print(title)
        for each in listed:
            start = f"  {each.name:<{names}}  "
            said = f"{start}{each.sentence}"
            print(said if width is None else folded(each.sentence, width, first=start, then=" " * len(start)))
    return int(ExitCode.PASS)


def schema() -> int:
    """Print the JSON schema of scenarios, for editors."""
    import json

    from bench.scenario.schema import json_schema

    print(json.dumps(json_schema(), indent=2))
    return int(ExitCode.PASS)
