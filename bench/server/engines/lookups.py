"""What the embedded agent looks up with the client's own tools, and how it speaks of the results.

In: what the agent wants to know (`Lookup`) and the tools of a session. Out: a call, or None where no tool serves; a
sentence for its result. Trap: a tool is known by its name and the names of its arguments alone, so that any scenario's
own tools can be used.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from bench.server.engines.base import FunctionCall

MOMENT = "One moment, please. "
_NAMES = {"number": ("number", "id", "order", "code"), "account": ("account", "kind", "type"), "day": ("day", "date")}
"""What a fact may be called among the arguments of a tool: the word, or a part of the name."""


@dataclass(frozen=True, slots=True)
class Lookup:
    """A question for a tool: what it is about, what is known, and how the answer begins."""

    about: str
    facts: Mapping[str, str]
    subject: str


def call_for(lookup: Lookup, tools: Sequence[Mapping[str, Any]]) -> FunctionCall | None:
    """The call of the first tool that is about it and whose required arguments are known; None without one."""
    for tool in tools:
        if tool.get("type") != "function" or lookup.about not in _words(str(tool.get("name"))):
            continue
        schema = tool.get("parameters") or {}
        properties = schema.get("properties") or {}
        arguments = {name: found for name in properties if (found := _fact(name, lookup.facts)) is not None}
        if set(schema.get("required") or ()) <= set(arguments):
            return FunctionCall(str(tool["name"]), orjson.dumps(arguments).decode())
    return None


def _fact(name: str, facts: Mapping[str, str]) -> str | None:
    words = _words(name)
    return next((value for fact, value in facts.items() if words & set(_NAMES.get(fact, (fact,)))), None)


def _words(name: str) -> set[str]:
    spaced = "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in name)
    return set(spaced.replace("_", " ").replace("-", " ").split())


def spoken_results(lookup: Lookup | None, results: Iterable[str]) -> str:
    """What the agent says of the results of its calls."""
    subject = lookup.subject if lookup is not None else "The answer"
    return " ".join(_spoken(subject, result) for result in results)


def _spoken(subject: str, result: str) -> str:
    try:
        value = orjson.loads(result)
    except orjson.JSONDecodeError:
        return result if result.rstrip().endswith((".", "!", "?")) else f"{result.strip()}."
    if not isinstance(value, dict):
        return f"{subject} is {_plain(value)}."
    if "error" in value:
        return f"I am sorry, I could not look that up: {_plain(value['error'])}."
    rest = dict(value)
    main = next((key for key in ("status", "balance", "slot", "answer", "result") if key in rest), None)
    first = f"{subject} is {_plain(rest.pop(main))}." if main is not None else f"{subject}:"
    return " ".join([first, *(f"{_plain(key).capitalize()} {_plain(each)}." for key, each in rest.items())])


def _plain(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(_plain(each) for each in value)
    if isinstance(value, dict):
        return ", ".join(f"{_plain(key)} {_plain(each)}" for key, each in value.items())
    return str(value).replace("_", " ").strip().rstrip(".")
