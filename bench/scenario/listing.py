"""The scenarios that come with the package, found by name: `bench run quickstart`, `bench scenarios`.

In: what a user typed. Out: the file to read. Trap: a file of the user's own always comes first; and a shipped scenario
is run from the working directory, so paths given with `--set` start there and not inside the installed package.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bench.config.block import nearest
from bench.config.problems import ConfigError, read_text
from bench.config.yaml_reader import Mark, Problem, read_yaml
from bench.shipped import shipped

SUFFIXES = {".yaml", ".yml"}


@dataclass(frozen=True, slots=True)
class ShippedScenario:
    """One of them: its name, and what it is for in a sentence."""

    name: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Source:
    """Where a scenario's text is, and the path that it is known by: relative paths start in that one's folder."""

    text_file: Path
    known_as: Path


def scenario_names() -> list[str]:
    """The names of the shipped scenarios; no file is read."""
    return sorted(path.stem for path in shipped("scenarios").glob("*.yaml"))


def shipped_scenarios() -> list[ShippedScenario]:
    """The shipped scenarios with their descriptions."""
    return [ShippedScenario(name, _description(shipped(f"scenarios/{name}.yaml"))) for name in scenario_names()]


def shipped_profiles() -> list[ShippedScenario]:
    """The profiles for `bench serve --engine simulated --profile NAME`, each with its first comment."""
    found = sorted(shipped("scenarios/profiles").glob("*.yaml"))
    return [ShippedScenario(path.stem, _first_comment(path)) for path in found]


def find_scenario(given: Path) -> Source:
    """The file that `given` names, or else the shipped scenario of that name; ConfigError lists the names."""
    if given.is_file() or given.parent != Path() or (given.is_dir() and given.suffix in SUFFIXES):
        return Source(given, given)
    names = scenario_names()
    if given.name in names:
        return Source(shipped(f"scenarios/{given.name}.yaml"), Path(f"{given.name}.yaml"))
    if given.suffix in SUFFIXES:
        if given.stem not in names or given.exists():
            return Source(given, given)  # reading it says what is wrong, and which file beside it was meant
        sentence = f"no such file; the scenario that comes with the package is run by its name: {given.stem}"
    elif given.is_dir():
        return Source(given, given)
    else:
        listed = ", ".join(names)
        sentence = f"no such file, and no shipped scenario of that name; shipped: {listed}{nearest(given.name, names)}"
    raise ConfigError(
        [Problem(Mark(str(given), 0), (), sentence)],
        name=str(given),
        hint="bench scenarios lists what is shipped; bench init my-calls.yaml writes a scenario to start from",
    )


def _description(path: Path) -> str:
    data = read_yaml(read_text(path), name=str(path)).data
    return str(data.get("description", "")) if isinstance(data, dict) else ""


def _first_comment(path: Path) -> str:
    """The comment in the first line of a file."""
    first, *_ = read_text(path).splitlines() or [""]
    return first.removeprefix("#").strip() if first.startswith("#") else ""
