"""Which stock client does what against the reference server: `python -m tests.clients.matrix`.

Runs the test of each client and feature, and prints a table: yes, FAILED, `-`, with the cause of each gap below. Exit
code 1 when a test failed. Trap: clients whose dependencies do not agree are
tested in environments of their own; a client that is not installed here says nothing of the server.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib.util import find_spec

import pytest

FEATURES = ("turn, detected", "turn, by hand", "tool", "barge-in", "token")
NO_HAND, NO_CUT = "its protocol has no push to talk", "not tested with this client"
_SDK = "tests/server/test_sdk.py"
CLIENTS: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "openai realtime": (
        "openai",
        {
            "turn, detected": f"{_SDK}::test_a_turn_with_detection",
            "turn, by hand": f"{_SDK}::test_a_manual_turn_and_every_other_request",
            "tool": f"{_SDK}::test_a_tool_round_trip",
            "barge-in": f"{_SDK}::test_a_barge_in_and_the_truncation_of_what_was_not_heard",
            "token": f"{_SDK}::test_a_client_secret_made_by_the_sdk_opens_a_session_with_its_configuration",
        },
    ),
    "openai beta.realtime": (
        "openai",
        {
            "turn, detected": "tests/server/test_beta_sdk.py::test_a_spoken_turn[detection0]",
            "turn, by hand": "tests/server/test_beta_sdk.py::test_a_spoken_turn[None]",
        },
    ),
    "openai live": ("openai", {"turn, detected": "tests/server/test_live_sdk.py::test_a_spoken_turn"}),
    "google-genai": (
        "google.genai",
        {
            "turn, detected": "tests/clients/test_google_genai.py::test_a_spoken_turn[False]",
            "turn, by hand": "tests/clients/test_google_genai.py::test_a_spoken_turn[True]",
            "token": "tests/clients/test_google_genai.py::test_a_token_made_by_the_client_opens_one_session",
        },
    ),
    "azure-ai-voicelive": (
        "azure.ai.voicelive",
        {
            "turn, detected": "tests/clients/test_azure_voicelive.py::test_a_spoken_turn[False]",
            "turn, by hand": "tests/clients/test_azure_voicelive.py::test_a_spoken_turn[True]",
        },
    ),
    "dashscope": (
        "dashscope",
        {
            "turn, detected": "tests/clients/test_dashscope.py::test_a_spoken_turn[False]",
            "turn, by hand": "tests/clients/test_dashscope.py::test_a_spoken_turn[True]",
        },
    ),
    "elevenlabs": (
        "elevenlabs",
        {
            "turn, detected": "tests/clients/test_elevenlabs.py::test_a_spoken_turn[answers]",
            "tool": "tests/clients/test_elevenlabs.py::test_a_spoken_turn[calls a tool]",
            "token": "tests/clients/test_elevenlabs.py::test_a_spoken_turn[answers]",
        },
    ),
    "pipecat-ai (a bot)": (
        "pipecat.serializers.twilio",
        {"turn, detected": "tests/clients/test_pipecat.py::test_a_pipecat_bot_is_called"},
    ),
    "livekit-agents": (
        "livekit.agents",
        {"turn, detected": "tests/clients/test_livekit.py::test_a_spoken_turn_is_transcribed"},
    ),
    "openai-agents": (
        "agents",
        {"turn, by hand": "tests/clients/test_openai_agents.py::test_a_turn_without_a_model_in_the_address"},
    ),
}
GAPS: Mapping[tuple[str, str], str] = {
    ("openai beta.realtime", "token"): "the beta's own tokens are not served",
    ("openai live", "turn, by hand"): NO_HAND,
    ("openai live", "tool"): NO_CUT,
    ("openai live", "token"): "its short-lived keys are not served",
    ("azure-ai-voicelive", "token"): "the service has a key or an Entra token",
    ("dashscope", "token"): "the service has a key",
    ("elevenlabs", "turn, by hand"): NO_HAND,
    ("pipecat-ai (a bot)", "turn, by hand"): NO_HAND,
    ("pipecat-ai (a bot)", "tool"): "a bot's tools are its own",
    ("pipecat-ai (a bot)", "token"): "an address is signed instead",
}
"""Why a client has no test of a feature, where that is not for want of one."""


class Outcomes:
    """What became of each test, as pytest tells it."""

    def __init__(self) -> None:
        self.of: dict[str, list[str]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" or report.outcome != "passed":
            self.of.setdefault(report.nodeid, []).append(report.outcome)

    def said(self, node: str) -> str:
        """yes, FAILED or `-`; a test with parameters counts as all of them."""
        found = [
            word for name, words in self.of.items() if name == node or name.startswith(f"{node}[") for word in words
        ]
        if "failed" in found:
            return "FAILED"
        return "yes" if "passed" in found else "-"


def _installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def main() -> int:
    """Run what can be run here and print the table."""
    here = {name: tests for name, (module, tests) in CLIENTS.items() if _installed(module)}
    nodes = list(dict.fromkeys(node for tests in here.values() for node in tests.values()))
    outcomes = Outcomes()
    pytest.main(["-q", "-n", "0", "-p", "no:cacheprovider", "--no-header", *nodes], plugins=[outcomes])
    width = max(map(len, CLIENTS))
    print(f"\n{'client':{width}}  " + "  ".join(f"{feature:14}" for feature in FEATURES))
    failed, gaps = False, []
    for name, (module, tests) in CLIENTS.items():
        cells = [outcomes.said(tests[feature]) if name in here and feature in tests else "-" for feature in FEATURES]
        failed = failed or "FAILED" in cells
        print(f"{name:{width}}  " + "  ".join(f"{cell:14}" for cell in cells))
        if name not in here:
            gaps.append(f"{name}: {module} is not installed here (pip install -e '.[clients]')")
            continue
        for feature in FEATURES:
            if feature not in tests:
                gaps.append(f"{name}, {feature}: {GAPS.get((name, feature), NO_CUT)}")
    print("\n" + "\n".join(gaps))
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
