"""From a YAML file to a checked `Scenario`, or to one error that lists everything wrong with it.

In: a path, `--set` overrides, the environment, `--url`, `--target`. Out: a `Scenario` whose fixture ids exist.
Trap: relative paths in a scenario, and those given with `--set`, start at the scenario's folder, not at the working
directory.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.audio.catalogue import Fixture, load_catalogue, shipped_catalogue
from bench.config.block import nearest
from bench.config.problems import ConfigError, read_text, validated
from bench.config.yaml_reader import Document, Loc, Mark, Problem, read_yaml
from bench.dialects import DEFAULT_DIALECT, dialect_names
from bench.scenario.listing import find_scenario
from bench.scenario.load_shapes import phase_names
from bench.scenario.model import Scenario
from bench.scenario.overrides import apply_overrides, apply_thresholds, apply_url
from bench.scenario.target import Target
from bench.scenario.thresholds import unknown_tag_values


def load_scenario(
    path: Path,
    *,
    overrides: Sequence[str] = (),
    env: Mapping[str, str] = os.environ,
    url: str | None = None,
    target_name: str | None = None,
    choose_target: bool = True,
    thresholds: Sequence[str] = (),
) -> Scenario:
    """Read, change, check and complete the scenario in `path`, a file or the name of a shipped one.

    ConfigError (exit 2) lists all that is wrong.
    `thresholds` are added to those of the file. With `choose_target` False, several `targets` are kept (to check a file
    without running it).
    """
    source = find_scenario(path)
    document = read_yaml(read_text(source.text_file), name=str(path), env=env)
    if not document.problems or document.data is not None:
        apply_overrides(document, overrides, env, Scenario)
        if url is not None:
            apply_url(document, url, target_name)
        apply_thresholds(document, thresholds)
    return _checked(document, source.known_as, target_name, choose_target)


def scenario_from_dict(data: Mapping[str, Any], *, source: Path, check_fixtures: bool = True) -> Scenario:
    """The scenario that `expanded` wrote; `source` is the file it was first read from."""
    return _checked(Document(dict(data), {(): Mark(str(source), 0)}), source, None, False, check_fixtures)


def expanded(scenario: Scenario) -> dict[str, Any]:
    """Every key with its value, ready for JSON: secrets as references, paths as they were written."""
    data = scenario.model_dump(mode="json", by_alias=True, context={"base": scenario.base})
    if not data["targets"]:
        del data["targets"]
    return data


def _checked(
    document: Document, source: Path, target_name: str | None, choose_target: bool, check_fixtures: bool = True
) -> Scenario:
    data = document.data if isinstance(document.data, dict) else {}
    context: dict[str, Any] = {"base": source.parent, "source": source, "dialect": _dialect(data)}
    if check_fixtures and data:
        context |= _catalogue(document, source.parent)
    needs = "name and conversation (bench init writes one)"
    scenario = validated(document, Scenario, needs=needs, **context)
    if scenario is not None and "recordings" in context:
        _check_tags(scenario, context["recordings"], document)
        _check_accents(scenario, context["recordings"], document)
    if scenario is not None and choose_target:
        scenario = _with_target(scenario, target_name, document)
    if document.problems or scenario is None:
        raise ConfigError(document.problems, name=str(source))
    return scenario


def _dialect(data: dict[str, Any]) -> str:
    target = data.get("target")
    name = target.get("dialect") if isinstance(target, dict) else None
    return name if isinstance(name, str) and name in dialect_names() else DEFAULT_DIALECT


def _catalogue(document: Document, base: Path) -> dict[str, Any]:
    """The ids that may be said; a problem under `fixtures` and no ids when the catalogue cannot be used."""
    given = document.data.get("fixtures")
    if given is not None and not (isinstance(given, str) and given.strip()):
        return {}
    path = base / Path(given).expanduser() if given else shipped_catalogue()
    try:
        catalogue = load_catalogue(path)
    except ConfigError as error:
        mark = document.mark_at(("fixtures",))
        document.problems += [Problem(mark, ("fixtures",), str(problem)) for problem in error.problems]
        return {}
    return {
        "fixture_ids": tuple(catalogue.fixtures),
        "recordings": catalogue.fixtures,
        "catalogue": given or "the project's own catalogue",
    }


def _check_tags(scenario: Scenario, recordings: Mapping[str, Fixture], document: Document) -> None:
    """Refuse a threshold on turns that the scenario cannot have."""
    spoken = [recordings[name] for name in scenario.fixture_ids]
    known = {tag: {getattr(each, tag) for each in spoken} for tag in ("accent", "voice", "language")}
    known["fixture"] = set(scenario.fixture_ids)
    known["step"] = {str(number) for number in range(len(scenario.conversation))}
    known["step_id"] = {name for step in scenario.conversation if (name := getattr(step, "id", None)) is not None}
    known["condition"], known["cell"] = scenario.condition_labels, {cell.name for cell in scenario.cells}
    known["target"] = set(scenario.target_names)
    known["phase"] = set(phase_names(scenario.load))
    for place, sentence in unknown_tag_values(scenario.thresholds, known):
        loc: Loc = ("thresholds", place)
        document.problems.append(Problem(document.mark_at(loc), loc, sentence))


def _check_accents(scenario: Scenario, recordings: Mapping[str, Fixture], document: Document) -> None:
    """Refuse an accent of the matrix in which a step has nothing to say."""
    for place, accent in enumerate(scenario.matrix.accent if scenario.matrix else ()):
        for number, step in enumerate(scenario.conversation):
            accents = sorted({recordings[name].accent for name in step.fixture_ids})
            if accents and accent not in accents:
                loc: Loc = ("matrix", "accent", place)
                sentence = (
                    f"step {number} has no fixture with accent '{accent}'{nearest(accent, accents)}; "
                    f"allowed: {', '.join(accents)}, or add one to that step"
                )
                document.problems.append(Problem(document.mark_at(loc), loc, sentence))


def _with_target(scenario: Scenario, target_name: str | None, document: Document) -> Scenario:
    """The scenario with the one target that is to be called, None for the embedded server, or all interleaved ones."""
    names = list(scenario.targets)
    loc: Loc = ("target",)
    target = scenario.target
    mark = Mark("--target", 3_000_000) if target_name else document.mark_at(("targets",))
    if not names:
        if target_name is not None:
            sentence = f"found '{target_name}'; allowed only for a scenario with targets, a mapping of names"
            document.problems.append(Problem(mark, (), sentence))
    elif scenario.load.interleave and target_name is None:
        scenario = scenario.called_in_turn
        for name, each in scenario.targets.items():
            _check_address(each, ("targets", name), document, "no url; add url: wss://...")
        return scenario
    else:
        chosen = target_name or (names[0] if len(names) == 1 else None)
        if chosen is None or chosen not in scenario.targets:
            found = f"found '{chosen}'" if chosen else "several targets"
            sentence = f"{found}; allowed: --target with one of: {', '.join(names)}{nearest(chosen or '', names)}"
            sentence += "" if chosen else "; or load.interleave: true"
            document.problems.append(Problem(mark, () if target_name else ("targets",), sentence))
            return scenario
        scenario = scenario.alone(chosen)
        target, loc = scenario.target, ("targets", chosen)
    if target is not None:
        _check_address(target, loc, document, "no url; add url: wss://..., or give --url")
    return scenario


def _check_address(target: Target, loc: Loc, document: Document, without: str) -> None:
    """Refuse a target that can be called in no way, or in two."""
    if target.url is None and target.cascade is None:
        document.problems.append(Problem(document.mark_at(loc), loc, without))
    elif target.url is not None and target.cascade is not None:
        both = (*loc, "cascade")
        document.problems.append(Problem(document.mark_at(both), both, "found with url; allowed: one of them"))
