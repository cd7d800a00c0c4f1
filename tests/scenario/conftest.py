"""A scenario file written in a test's own folder, and the one error it must give."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from bench.config.problems import ConfigError
from bench.scenario.model import Scenario
from bench.scenario.read import load_scenario

Load = Callable[..., Scenario]
Problems = Callable[..., list[str]]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Write a text to `s.yaml` and load it, with an empty environment unless one is given."""

    def run(text: str, *sets: str, env: Mapping[str, str] | None = None, **options: object) -> Scenario:
        path = tmp_path / "s.yaml"
        path.write_text(text, encoding="utf-8")
        return load_scenario(path, overrides=sets, env=env or {}, **options)  # type: ignore[arg-type]

    return run


@pytest.fixture
def problems(load: Load, tmp_path: Path) -> Problems:
    """The problems of a text that must not load, one a line, the file's name without its folder."""

    def run(text: str, *sets: str, **options: object) -> list[str]:
        with pytest.raises(ConfigError) as caught:
            load(text, *sets, **options)
        assert caught.value.exit_code == 2
        found: Sequence[object] = caught.value.problems
        assert all(str(problem) in caught.value.message for problem in found)
        return [str(problem).replace(f"{tmp_path}/", "") for problem in found]

    return run
