"""Who is asked before money is spent, and what happens where nobody can answer. No connection is made here."""

from __future__ import annotations

import io
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from bench.errors import BenchError, ExitCode
from bench.pricing.book import default_books
from bench.run.consent import asker, get_consent, why_paid
from bench.scenario.model import Scenario
from bench.scenario.read import load_scenario
from bench.scenario.target import Target
from tests.support.processes import ROOT, bench

MINI = ROOT / "scenarios" / "openai-mini.yaml"


def mini(*changes: str, url: str | None = None) -> Scenario:
    return load_scenario(MINI, overrides=["budget=null", *changes], url=url)


@pytest.mark.parametrize(
    ("url", "model", "paid"),
    [
        ("wss://api.openai.com/v1/realtime", "gpt-realtime", True),
        ("wss://api.openai.com/v1/realtime", "a-model-in-no-book", True),
        ("wss://mine.openai.azure.com/openai/v1/realtime", "deployment", True),
        ("wss://notapi.openai.com.example/v1", "mine", False),
        ("wss://voice.example/v1/realtime", "gpt-realtime", True),
        ("wss://voice.example/v1/realtime", "my-own-model", False),
        ("wss://voice.example/v1/realtime", "simulated", False),
        ("ws://127.0.0.1:8765/v1/realtime", "gpt-realtime", False),
        ("ws://localhost:8765/v1/realtime", "gpt-realtime", False),
    ],
)
def test_what_is_taken_to_cost_money(url: str, model: str, paid: bool) -> None:
    assert (why_paid(Target(url=url, model=model), default_books()) is not None) is paid
    assert why_paid(None, default_books()) is None


def test_the_question_has_the_estimate_and_yes_goes_on() -> None:
    asked: list[str] = []

    def ask(question: str) -> str:
        asked.append(question)
        return "y\n"

    get_consent(mini(), yes=False, ask=ask)
    assert asked[0].startswith("api.openai.com bills for its calls, and the run has no budget\nestimated cost: $0.0")
    assert asked[0].endswith("; go on? [y/N] ")


def test_one_paid_target_of_several_is_enough_and_each_has_its_own_prices(tmp_path: Path) -> None:
    path = tmp_path / "two.yaml"
    text = """
name: two
targets:
  here: {url: "ws://127.0.0.1:9/", model: m, pricing: {model: gpt-realtime}}
  there: {url: "wss://voice.example/", model: mine}
conversation: [{say: yes-slt}]
load: {interleave: true, sessions: 4}
"""
    path.write_text(text)
    get_consent(load_scenario(path), yes=False, ask=None)
    path.write_text(text.replace("model: mine", "model: mine, pricing: {model: gpt-realtime}"))
    with pytest.raises(BenchError, match=r"voice.example is another machine, and gpt-realtime has a price"):
        get_consent(load_scenario(path), yes=False, ask=None)


@pytest.mark.parametrize("answer", ["", "\n", "n\n", "maybe\n"])
def test_anything_else_is_no(answer: str) -> None:
    with pytest.raises(BenchError, match="nothing was sent") as refused:
        get_consent(mini(), yes=False, ask=lambda _question: answer)
    assert refused.value.exit_code == ExitCode.INTERRUPTED


def questions(scenario: Scenario, *, yes: bool = False) -> int:
    """How often somebody is asked."""
    asked: list[str] = []

    def ask(question: str) -> str:
        asked.append(question)
        return "y\n"

    get_consent(scenario, yes=yes, ask=ask)
    return len(asked)


def test_who_is_not_asked() -> None:
    assert questions(mini()) == 1
    assert questions(mini(), yes=True) == 0
    assert questions(mini("budget={max_sessions: 4}")) == 0
    assert questions(mini(url="ws://127.0.0.1:9/")) == 0
    assert questions(load_scenario(ROOT / "scenarios" / "quickstart.yaml")) == 0


def test_one_of_several_targets_is_enough() -> None:
    targets = "targets={a: {url: 'ws://127.0.0.1:1/'}, b: {url: 'wss://api.openai.com/v1', model: gpt-realtime}}"
    several = load_scenario(MINI, overrides=["budget=null", "target=null", targets], choose_target=False)
    with pytest.raises(BenchError, match="has no budget"):
        get_consent(several, yes=False, ask=None)


def test_nobody_can_be_asked_in_ci_or_without_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setattr(sys, "stdin", Terminal("y\n"))
    ask = asker({})
    assert ask is not None
    assert ask("go on? ") == "y\n"
    assert asker({"CI": "false"}) is not None
    assert asker({"CI": "true"}) is None
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    assert asker({}) is None


def test_from_the_command_line(tmp_path: Path) -> None:
    done = bench("run", MINI, "--set", "budget=null", "--out", tmp_path / "run", input="y\n")
    assert done.returncode == ExitCode.USAGE
    assert "error: the run costs money and has no budget: api.openai.com bills for its calls" in done.stderr
    assert "estimated cost: $0.0" in done.stderr
    assert "--set budget.max_usd=5" in done.stderr
    assert "--yes" in done.stderr
    assert not (tmp_path / "run").exists()


def test_at_a_terminal(tmp_path: Path) -> None:
    """Answered with no, so that nothing is sent."""
    leader, follower = pty.openpty()
    env = {key: value for key, value in os.environ.items() if key != "CI"}
    command = [sys.executable, "-m", "bench", "run", str(MINI), "--set", "budget=null", "--out", str(tmp_path / "run")]
    with subprocess.Popen(command, stdin=follower, stdout=follower, stderr=follower, env=env) as run:
        os.close(follower)
        said = b""
        while b"go on? [y/N]" not in said:
            said += os.read(leader, 4096)
        os.write(leader, b"n\n")
        assert run.wait(20) == ExitCode.INTERRUPTED
    os.close(leader)
    assert b"api.openai.com bills for its calls, and the run has no budget" in said
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("host", "model", "paid"),
    [("api.openai.com", "anything", True), ("speech.example", "tts-1", True), ("speech.example", "kokoro", False)],
)
def test_a_cascade_costs_what_its_services_cost(host: str, model: str, paid: bool) -> None:
    legs = {leg: {"url": "http://127.0.0.1:1/v1", "model": "mine"} for leg in ("stt", "llm")}
    cascade = {**legs, "tts": {"url": f"https://{host}/v1", "model": model}}
    target = Target.model_validate({"cascade": cascade})
    assert (why_paid(target, default_books()) is not None) is paid
