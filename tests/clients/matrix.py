"""Which stock client does what against the reference server: `python -m tests.clients.matrix [--page]`.

Runs the test of each client and feature, and prints a table in Markdown: yes, FAILED, no (with the cause in the
client), or `-` where a client is not installed or its test was skipped. `--page` writes it into `docs/clients.md` as
well. Exit code 1 when a test failed, 3 when one was not run.
The environment: `pip install -c constraints-clients.txt -e '.[dev,clients]'`.
"""

from __future__ import annotations

import platform
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

import pytest

from tests.clients import npm

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "clients.md"
BEGIN, END = "<!-- matrix -->", "<!-- /matrix -->"
FEATURES = ("turn, detected", "turn, by hand", "tool", "barge-in", "token")
NO = "no"
FAILED = 1
NOT_RUN = 3


@dataclass(frozen=True, slots=True)
class Cell:
    """A test, what is to be known of it, or the cause in the client why there is none."""

    test: str | None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Client:
    """A part of a package that calls, or is called."""

    name: str
    package: str
    """The distribution, whose version is shown; npm's begin with `@`."""
    cells: Mapping[str, Cell]


def _client(name: str, package: str, file: str, *cells: str | Cell) -> Client:
    """A client whose cells are tests of one file by their names, in the order of `FEATURES`."""
    made = (
        cell if isinstance(cell, Cell) and cell.test is None
        else Cell(f"{file}::{cell.test}", cell.note) if isinstance(cell, Cell)
        else Cell(f"{file}::{cell}")
        for cell in cells
    )  # fmt: skip
    return Client(name, package, dict(zip(FEATURES, made, strict=True)))


def _no(cause: str) -> Cell:
    return Cell(None, cause)


_DETECTED = "test_a_turn_that_the_server_detects"
_HAND = "test_a_turn_by_hand"
_TOOL = "test_a_tool_is_called_and_its_result_is_answered"
_RUN = "test_a_tool_is_run_and_its_result_is_answered"
_CUT = "test_a_barge_in_ends_the_reply"
_GIVEN = "the client is given a client secret; it has no call that asks for one"
_SECRET = Cell("test_a_client_secret_is_its_key", _GIVEN)
_LIVE_HAND = _no("Live has no turns: the client has no call that ends one")
_LIVE_TOKEN = _no("no call of the vendor's client makes a short-lived key for Live sessions")
_BEHIND = "by the model behind Live's"


def _pipecat(service: str, vendor: str, token: str) -> Client:
    """A service of pipecat for a vendor."""
    tests = (f"{name}[{vendor}]" for name in (_DETECTED, _HAND, _RUN, _CUT))
    key = Cell(f"test_a_short_lived_key_opens_a_session[{vendor}]", token)
    return _client(f"pipecat, `{service}`", "pipecat-ai", "tests/clients/test_pipecat_vendors.py", *tests, key)


CLIENTS = (
    _client(
        "openai, `realtime`", "openai", "tests/server/test_sdk.py",
        "test_a_turn_with_detection",
        "test_a_manual_turn_and_every_other_request",
        "test_a_tool_round_trip",
        "test_a_barge_in_and_the_truncation_of_what_was_not_heard",
        "test_a_client_secret_made_by_the_sdk_opens_a_session_with_its_configuration",
    ),
    _client(
        "openai, `beta.realtime`", "openai", "tests/server/test_beta_sdk.py",
        "test_a_spoken_turn[detection0]", "test_a_spoken_turn[None]", _TOOL, _CUT,
        "test_a_key_made_with_a_session_opens_it",
    ),
    _client(
        "openai, `live`", "openai", "tests/server/test_live_sdk.py",
        "test_a_spoken_turn",
        _LIVE_HAND,
        Cell("test_a_tool_is_called_by_the_model_behind_and_its_result_is_spoken", _BEHIND),
        "test_a_reply_that_is_spoken_into_falls_silent",
        _LIVE_TOKEN,
    ),
    _client(
        "openai, `audio` and `chat`", "openai", "tests/clients/test_openai_http.py",
        _no("a request holds a whole turn: the client has no call that hears where one ends"),
        Cell("test_this_machine_hears_answers_and_speaks", "a recording, a chat, speech: one request each"),
        "test_this_machine_hears_answers_and_speaks",
        Cell("test_a_reply_that_the_caller_closes_is_no_longer_sent", "the caller closes the stream"),
        _no("the client has no call for a short-lived key of these services"),
    ),
    _client(
        "google-genai, `aio.live`", "google-genai", "tests/clients/test_google_genai.py",
        "test_a_spoken_turn[False]", "test_a_spoken_turn[True]", _TOOL, _CUT,
        "test_a_token_made_by_the_client_opens_one_session",
    ),
    _client(
        "azure-ai-voicelive, `aio`", "azure-ai-voicelive", "tests/clients/test_azure_voicelive.py",
        "test_a_spoken_turn[False]", "test_a_spoken_turn[True]", _TOOL, _CUT,
        Cell(
            "test_a_token_of_the_directory_opens_a_session",
            "an Entra token, which a credential gives; the client has no call for a key of the service's own",
        ),
    ),
    _client(
        "dashscope, `qwen_omni`", "dashscope", "tests/clients/test_dashscope.py",
        "test_a_spoken_turn[False]", "test_a_spoken_turn[True]", _TOOL, _CUT,
        _no("the client has no call for a short-lived key"),
    ),
    _client(
        "elevenlabs, `Conversation`", "elevenlabs", "tests/clients/test_elevenlabs.py",
        "test_a_spoken_turn_at_a_signed_address[answers]",
        _no("the client has no call that ends the caller's turn: the agent detects it"),
        "test_a_spoken_turn_at_a_signed_address[calls a tool]",
        _CUT,
        Cell("test_a_spoken_turn_at_a_signed_address[answers]", "a signed URL, which the client asks for"),
    ),
    _client(
        "LiveKit, `realtime.RealtimeModel`", "livekit-plugins-openai", "tests/clients/test_livekit.py",
        _DETECTED, _HAND, _TOOL, _CUT, _SECRET,
    ),
    _client(
        "LiveKit, `realtime.GPTLiveModel`", "livekit-plugins-openai", "tests/clients/test_livekit_live.py",
        "test_livekit_speaks_and_is_answered",
        _LIVE_HAND,
        Cell("test_livekit_runs_a_tool", _BEHIND),
        "test_livekit_is_heard_when_it_speaks_into_a_reply",
        _LIVE_TOKEN,
    ),
    _client(
        "openai-agents, `realtime`", "openai-agents", "tests/clients/test_openai_agents.py",
        "test_a_turn_without_a_model_in_the_address",
        Cell(_HAND, "the reply is asked for by a raw message: a session has no call for that"),
        _RUN, _CUT, _SECRET,
    ),
    _client(
        "@openai/agents-realtime, WebSocket", npm.PACKAGE, "tests/clients/test_openai_agents_js.py",
        _DETECTED, _HAND, _RUN, _CUT, _SECRET,
    ),
    _client(
        "pipecat, `OpenAIRealtimeLLMService`", "pipecat-ai", "tests/clients/test_pipecat_realtime.py",
        _DETECTED, _HAND, _RUN, _CUT, _SECRET,
    ),
    _client(
        "pipecat, `OpenAILiveLLMService`", "pipecat-ai", "tests/clients/test_pipecat_realtime.py",
        "test_live_answers_what_is_said",
        _LIVE_HAND,
        Cell("test_live_runs_a_tool", _BEHIND),
        "test_live_falls_silent_when_it_is_spoken_into",
        _LIVE_TOKEN,
    ),
    _pipecat(
        "GrokRealtimeLLMService", "xai", _GIVEN
    ),
    _pipecat("AzureVoiceLiveLLMService", "azure", "an Entra token, which a function gives"),
    _pipecat("GeminiLiveLLMService", "gemini", "the client is given a token, which google-genai asks for"),
    _client(
        "pipecat, `TwilioFrameSerializer` (a bot)", "pipecat-ai", "tests/clients/test_pipecat.py",
        "test_a_pipecat_bot_is_called",
        _no("Twilio's messages have no push to talk, so the serializer has no frame for it"),
        _no("Twilio's messages carry no tools: a bot's are its own"),
        "test_a_pipecat_bot_is_interrupted",
        _no("Twilio signs the address instead, and the serializer never sees it"),
    ),
)  # fmt: skip


@dataclass(slots=True, eq=False)
class Outcomes:
    """What became of each test, as pytest tells it."""

    of: dict[str, list[str]] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    """Why tests or whole files were not run."""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" or report.outcome != "passed":
            self._keep(report)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.outcome != "passed" and report.nodeid:
            self._keep(report)

    def _keep(self, report: pytest.TestReport | pytest.CollectReport) -> None:
        self.of.setdefault(report.nodeid, []).append(report.outcome)
        if report.outcome == "skipped" and isinstance(report.longrepr, tuple):
            self.skipped[report.nodeid] = str(report.longrepr[2]).removeprefix("Skipped: ")

    def said(self, node: str) -> tuple[str, str | None]:
        """yes, FAILED or `-`, and why the last; a test with parameters counts as all of them."""
        file = node.partition("::")[0]
        mine = [name for name in self.of if name in (node, file) or name.startswith(f"{node}[")]
        words = [word for name in mine for word in self.of[name]]
        if "failed" in words:
            return "FAILED", None
        if "passed" in words:
            return "yes", None
        return "-", next((self.skipped[name] for name in mine if name in self.skipped), "not run")


def version_of(package: str) -> str | None:
    """The version of a package that is installed here; None where it is not."""
    try:
        return npm.version() if package.startswith("@") else metadata.version(package)
    except (LookupError, metadata.PackageNotFoundError):
        return None


def table(said: Callable[[str], tuple[str, str | None]], version: Callable[[str], str | None]) -> str:
    """The table and its notes, in Markdown, from what each test said."""
    numbers: dict[str, int] = {}

    def noted(word: str, note: str | None) -> str:
        if note is None:
            return word
        return f"{word} ({numbers.setdefault(note, len(numbers) + 1)})"

    lines = [f"| client | version | {' | '.join(FEATURES)} |", f"|{'---|' * (len(FEATURES) + 2)}"]
    for client in CLIENTS:
        cells = []
        for feature in FEATURES:
            cell = client.cells[feature]
            word, why = (NO, None) if cell.test is None else said(cell.test)
            cells.append(noted(word, why or cell.note))
        lines.append(f"| {client.name} | {version(client.package) or '-'} | {' | '.join(cells)} |")
    return "\n".join([*lines, "", *(f"{number}. {note}" for note, number in numbers.items())])


def into_page(page: str, found: str) -> str:
    """`page` with `found` between its marks."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{found}\n\n{END}{after}"


def main(words: list[str]) -> int:
    """Run what can be run here, print the table, and say whether all is well."""
    tests = [cell.test for client in CLIENTS for cell in client.cells.values() if cell.test is not None]
    outcomes = Outcomes()
    quiet = ["-q", "-n", "0", "-m", "", "-p", "no:cacheprovider", "--no-header", "-W", "ignore::DeprecationWarning"]
    pytest.main([*quiet, *dict.fromkeys(tests)], plugins=[outcomes])
    found = table(outcomes.said, version_of)
    day = datetime.now(UTC).date().isoformat()
    dated = f"Seen on {day} with Python {platform.python_version()}, `python -m tests.clients.matrix`:\n\n{found}"
    print(f"\n{dated}")
    if "--page" in words:
        PAGE.write_text(into_page(PAGE.read_text(encoding="utf-8"), dated), encoding="utf-8")
    seen = {outcomes.said(test)[0] for test in tests}
    return FAILED if "FAILED" in seen else NOT_RUN if "-" in seen else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
