"""The fixtures of the scenario's tests: YAML is tried through a scenario, the file that people write most."""

from tests.scenario.conftest import load, problems

__all__ = ["load", "problems"]
