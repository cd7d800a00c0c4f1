"""The phases that a stored run was to have, read from the scenario in its manifest."""

from __future__ import annotations

from bench.scenario.load_phases import PlannedPhase, planned
from bench.scenario.phase_config import PhaseConfig
from bench.store.manifest import Manifest


def phase_blocks(manifest: Manifest) -> list[PhaseConfig]:
    """The `phases:` of its load; none where it had none."""
    return [PhaseConfig.model_validate(each) for each in (manifest.scenario.get("load") or {}).get("phases") or ()]


def phases_of(manifest: Manifest) -> tuple[PlannedPhase, ...]:
    """The same with their place in time."""
    return planned(phase_blocks(manifest))
