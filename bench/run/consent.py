"""Asks before money is spent: a run against a paid endpoint that has no budget.

In: a scenario, and who could be asked. Out: nothing; it raises where the run must not begin.
Trap: nobody is asked where nobody can answer. Without a terminal, or with CI set, a run without a budget is an error.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from bench.config.hosts import is_loopback
from bench.errors import BenchError, ExitCode
from bench.load.factory import fixtures_of
from bench.pricing.book import Books
from bench.run.cost_text import cost_line
from bench.run.estimate import estimate
from bench.scenario.books import books_of
from bench.scenario.cascade import CascadeConfig
from bench.scenario.model import Scenario
from bench.scenario.target import Target

VENDORS = (
    "api.openai.com", "openai.azure.com", "cognitiveservices.azure.com", "services.ai.azure.com", "googleapis.com",
    "api.elevenlabs.io", "api.x.ai", "api.deepgram.com", "api.hume.ai", "api.cartesia.ai", "api.inworld.ai",
)  # fmt: skip
"""Hosts, and domains of hosts, that bill for realtime voice."""
_NO = frozenset({"", "0", "false", "no"})
_HINT = (
    "give it a limit (budget: {max_usd: 5} in the scenario, or --set budget.max_usd=5), or add --yes to run without one"
)


def why_paid(target: Target | None, books: Books) -> str | None:
    """Why calls to `target` are taken to cost money; None where nothing says so."""
    if target is not None and target.cascade is not None:
        return _why_cascade_is_paid(target.cascade, books)
    host = urlsplit(target.url or "").hostname if target is not None else None
    if target is None or host is None or is_loopback(host):
        return None
    if _is_vendor(host):
        return f"{host} bills for its calls"
    model = books.price_as or target.model
    book = books.book_of(target.model)
    # Example prices belong to no vendor.
    if book is None or book.label is not None:
        return None
    return f"{host} is another machine, and {model} has a price in the book {book.book}"


def _is_vendor(host: str) -> bool:
    return any(host == vendor or host.endswith(f".{vendor}") for vendor in VENDORS)


def _why_cascade_is_paid(cascade: CascadeConfig, books: Books) -> str | None:
    """Why one of its services is taken to cost money."""
    priced = {
        "stt": books.transcription(None, cascade.stt.model),
        "llm": books.rates(cascade.llm.model),
        "tts": books.speech(cascade.tts.model),
    }
    for leg, service in cascade.services():
        host = urlsplit(service.url).hostname or ""
        if is_loopback(host):
            continue
        if _is_vendor(host):
            return f"{host} bills for its calls"
        if priced[leg] is not None:
            return f"{host} is another machine, and {service.model} has a price in a book"
    return None


def get_consent(scenario: Scenario, *, yes: bool, ask: Callable[[str], str] | None) -> None:
    """Ask whether to spend money without a limit; return to go on.

    `ask` None: nobody can answer. Raises `BenchError` when the answer is no (exit code 130) or nobody can be asked (2).
    """
    if scenario.budget is not None or yes:
        return
    parts = scenario.parts().values()
    reason = next((why for part in parts if (why := why_paid(part.target, books_of(part))) is not None), None)
    if reason is None:
        return
    line = cost_line(estimate(scenario, fixtures_of(scenario), books_of(scenario)))
    if ask is None:
        raise BenchError(f"the run costs money and has no budget: {reason}; {line}", hint=_HINT)
    if ask(f"{reason}, and the run has no budget\n{line}; go on? [y/N] ").strip().lower() not in {"y", "yes"}:
        raise BenchError("not begun; nothing was sent", hint=_HINT, exit_code=ExitCode.INTERRUPTED)


def asker(env: Mapping[str, str] = os.environ) -> Callable[[str], str] | None:
    """How to ask whoever sits at the terminal; None without one, and where CI is set."""
    if env.get("CI", "").strip().lower() not in _NO or not (sys.stdin.isatty() and sys.stderr.isatty()):
        return None
    return _ask


def _ask(question: str) -> str:
    """The answer; nothing at the end of input. The question goes to standard error, which is not the report's."""
    print(question, end="", file=sys.stderr, flush=True)
    return sys.stdin.readline()
