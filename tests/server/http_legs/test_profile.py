"""The block `legs` of a profile: every key is documented, and faults strike where they are told."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bench.config.block import Block
from bench.config.problems import ConfigError
from bench.server.engines.simulated.profile import parse_profile
from bench.server.http_legs.profile import LegFault, LegsProfile, LlmProfile, SttProfile, TtsProfile, fault_of
from tests.server.support import ROOT


def test_every_key_is_documented() -> None:
    page = (ROOT / "docs" / "cascade.md").read_text()
    blocks: tuple[type[Block], ...] = (LegsProfile, SttProfile, LlmProfile, TtsProfile, LegFault)
    missing = [
        f"{block.__name__}.{key}"
        for block in blocks
        for key in block.model_fields
        if not re.search(rf"`[^`|]*\b{key}\b[^`|]*`", page)
    ]
    assert not missing


def test_a_fault_strikes_its_leg_at_its_request() -> None:
    faults = (LegFault(leg="llm", kind="cut", at_request=2), LegFault(leg="stt", kind="status", rate=0.3))
    assert [fault_of(faults, "llm", 1, number) is not None for number in range(4)] == [False, False, True, False]
    assert fault_of(faults, "tts", 1, 2) is None
    struck = [fault_of(faults, "stt", 1, number) is not None for number in range(2000)]
    assert sum(struck) / 2000 == pytest.approx(0.3, abs=0.04)


@pytest.mark.parametrize(
    ("fault", "about"),
    [
        ("{leg: llm, kind: cut}", "nothing says when"),
        ("{leg: llm, kind: cut, rate: 1, status: 429}", "does not take it"),
        ("{leg: llm, kind: status, rate: 1, status: 418}", "allowed: 400"),
        ("{leg: tts, kind: garbage, rate: 1}", "sends only sound"),
    ],
)
def test_a_fault_that_cannot_be_is_named(fault: str, about: str) -> None:
    with pytest.raises(ConfigError, match=about):
        parse_profile(f"legs:\n  faults:\n    - {fault}\n", Path("p.yaml"))
