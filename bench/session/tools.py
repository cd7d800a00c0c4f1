"""What a tool call gets for an answer. Sans-I/O: the name and arguments of a call in, a decision out.

In: `session.tools` with files read and functions found, once before the first call. Out: for each call of the agent, a
text after a time, a function to run, or a typed error. Trap: an agent is told of its mistake, as a real client would
tell it, so that it can mend it; the mistake is kept all the same.
"""

from __future__ import annotations

import importlib
import random
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from bench.dialects.tools import Answer, Tool, ToolAnswer
from bench.errors import BenchError
from bench.facts.acts import ToolError

NOTHING_FOUND = "nothing was found for these arguments"
MOST_OUTPUT_CHARS = 256 * 1024


@dataclass(frozen=True, slots=True)
class Decision:
    """What a call gets: `output` after `delay_ms`, or what `function` returns for `arguments` after that."""

    output: str
    delay_ms: float = 0.0
    timeout_ms: float = 10_000.0
    error: ToolError | None = None
    detail: str | None = None
    function: Callable[..., Any] | None = None
    arguments: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class _Ready:
    """One tool, with nothing left to be read or found."""

    answer: ToolAnswer
    validator: Any
    functions: Mapping[str, Callable[..., Any]]


class Toolbox:
    """The tools of one scenario; shared by all of its calls."""

    def __init__(self, tools: Sequence[Tool], *, base: Path) -> None:
        """Read and find what the answers name. Raises `BenchError` for a file or a function that is not there."""
        from jsonschema import Draft202012Validator

        self._tools: dict[str, _Ready] = {}
        for tool in tools:
            where = f"session.tools: {tool.name}"
            try:
                answer = tool.answer.read()
            except (OSError, UnicodeDecodeError) as error:
                raise BenchError(
                    f"{where}: an answer cannot be read: {error}", hint="file is relative to the scenario"
                ) from error
            named = [each.call for each in (answer, *answer.rules) if each.call is not None]
            functions = {name: find_function(name, base, where) for name in named}
            self._tools[tool.name] = _Ready(answer, Draft202012Validator(tool.parameters), functions)

    def __contains__(self, name: str) -> bool:
        return name in self._tools

    def decide(self, name: str, text: str, draw: random.Random, *, open_sessions: int = 0) -> Decision:
        """What a call of `name` with the arguments `text` (JSON) gets; what is random is drawn from `draw`."""
        tool = self._tools.get(name)
        if tool is None:
            known = ", ".join(self._tools)
            return _mistake("unknown_tool", f"there is no tool '{name}'; the tools are: {known}")
        try:
            arguments = orjson.loads(text)
        except orjson.JSONDecodeError as error:
            return _mistake("bad_arguments", f"the arguments are not JSON: {error}")
        if not isinstance(arguments, dict):
            return _mistake("bad_arguments", "the arguments are no JSON object")
        wrong = next(iter(sorted(tool.validator.iter_errors(arguments), key=str)), None)
        if wrong is not None:
            where = ".".join(str(part) for part in wrong.absolute_path)
            return _mistake("bad_arguments", f"{f'{where}: ' if where else ''}{wrong.message[:300]}")
        answer = tool.answer.of(arguments)
        delay = (answer.delay if answer is not None else None) or tool.answer.delay
        function = tool.functions[answer.call] if answer is not None and answer.call is not None else None
        return Decision(
            output="" if function is not None else _output(answer),
            delay_ms=0.0 if delay is None else delay.draw_ms(draw, open_sessions),
            timeout_ms=tool.answer.timeout_ms,
            function=function,
            arguments=arguments,
        )


def find_function(name: str, base: Path, where: str) -> Callable[..., Any]:
    """The function of `module:function`, looked for beside the scenario first."""
    module_name, _, function_name = name.partition(":")
    folder = str(base.resolve())
    sys.path.insert(0, folder)
    try:
        found = getattr(importlib.import_module(module_name), function_name)
    except Exception as error:  # the user's module runs here, and may raise anything
        raise BenchError(
            f"{where}: {name} cannot be imported: {type(error).__name__}: {error}",
            hint=f"put {module_name}.py beside the scenario, or install it; workers on other machines need it too",
        ) from error
    finally:
        sys.path.remove(folder)
    if not callable(found):
        raise BenchError(f"{where}: {name} is no function, but a {type(found).__name__}")
    function: Callable[..., Any] = found
    return function


def as_output(value: object) -> str:
    """A result as it is sent: a text as it is, anything else as JSON. Raises `TypeError` for what JSON cannot say."""
    text = value if isinstance(value, str) else orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS).decode()
    return text[:MOST_OUTPUT_CHARS]


def error_output(sentence: str) -> str:
    """An error as it is sent to the agent."""
    return orjson.dumps({"error": sentence}).decode()


def _output(answer: Answer | None) -> str:
    if answer is None:
        return error_output(NOTHING_FOUND)
    return error_output(answer.error) if answer.error is not None else as_output(answer.value)


def _mistake(error: ToolError, detail: str) -> Decision:
    return Decision(error_output(detail), error=error, detail=detail)
