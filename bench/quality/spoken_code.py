"""Programming tasks in the manner of HumanEval, asked aloud: what does this function return for these arguments?

In: the head of a function with its docstring, whose examples say what it returns. Out: a question of one example, with
the result as what the reply must say. Trap: code is not told in speech, so what is graded is whether the agent works
out what the function does; a task whose arguments or result are no plain words or numbers is left out.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator
from typing import Any

MOST_DESCRIPTION_CHARS = 500
"""About 35 s of speech."""
MOST_ELEMENTS = 8
MOST_WORDS = 4
_PLAIN = re.compile(r"[A-Za-z0-9]+(?:[ '-][A-Za-z0-9]+)*")
_RESULT_MARK = re.compile(r"^\s*(?:➞|=>|==|=|->|→|returns?|should return)\s*(.+)$", re.IGNORECASE)
_EXAMPLES_BEGIN = re.compile(r"^\s*(?:for )?examples?\b.*$|^\s*>>>", re.IGNORECASE | re.MULTILINE)


class UnspokenError(ValueError):
    """The task cannot be asked and answered in speech."""


def spoken_task(prompt: str, entry_point: str) -> tuple[str, dict[str, Any]]:
    """The question, and what must be true of the reply.

    Raises `ValueError` for a prompt that is no Python or has no such function, `UnspokenError` for one that cannot be
    spoken.
    """
    function = _function(prompt, entry_point)
    told = ast.get_docstring(function) or ""
    names = [argument.arg for argument in function.args.args]
    description = _description(told, entry_point)
    for arguments, result in _examples(told, entry_point):
        expect = _expected(result)
        spoken = [_spoken(value) for value in arguments]
        if expect is None or None in spoken or len(spoken) > len(names) or not spoken:
            continue
        given = ", and for ".join(f"{_words(name)}: {value}" for name, value in zip(names, spoken, strict=False))
        return (
            f"A function is called {_words(entry_point)}. This is what it does. {description} "
            f"What does it return for {given}? Say only what it returns.",
            expect,
        )
    raise UnspokenError("no example whose arguments and result are plain words or numbers")


def _function(prompt: str, entry_point: str) -> ast.FunctionDef:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an odd escape in a docstring is no concern of the reader
            tree = ast.parse(prompt)
    except SyntaxError as error:
        raise ValueError(f"the prompt is no Python: {error.msg} in its line {error.lineno}") from error
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name == entry_point:
            return node
    raise ValueError(f"the prompt has no function '{entry_point}'")


def _description(told: str, entry_point: str) -> str:
    """The docstring up to its first example, as it is read aloud."""
    ends = [match.start() for match in [_EXAMPLES_BEGIN.search(told)] if match]
    call = re.search(rf"^.*\b{re.escape(entry_point)}\(", told, re.MULTILINE)
    if call is not None:
        ends.append(call.start())
    said = " ".join(told[: min(ends, default=len(told))].split())
    if not said:
        raise UnspokenError("the docstring says nothing before its examples")
    if len(said) > MOST_DESCRIPTION_CHARS:
        raise UnspokenError(f"the docstring has more than {MOST_DESCRIPTION_CHARS} characters")
    return said if said.endswith((".", "?", "!")) else f"{said}."


def _examples(told: str, entry_point: str) -> Iterator[tuple[list[Any], Any]]:
    """Calls of the function in its docstring with what they return: after a sign on the same line, or on the next."""
    lines = told.splitlines()
    for place, line in enumerate(lines):
        start = line.find(f"{entry_point}(")
        if start < 0:
            continue
        for end in range(len(line), start, -1):
            if line[end - 1] != ")":
                continue
            try:
                call = ast.parse(line[start:end], mode="eval").body
                if not isinstance(call, ast.Call) or call.keywords:
                    continue
                arguments = [ast.literal_eval(each) for each in call.args]
                after = _RESULT_MARK.match(line[end:])
                following = lines[place + 1] if place + 1 < len(lines) else ""
                result = ast.literal_eval((after[1] if after else following).strip().rstrip("."))
            except (SyntaxError, ValueError, MemoryError, RecursionError):
                continue
            yield arguments, result
            break


def _expected(result: object) -> dict[str, Any] | None:
    if isinstance(result, bool):
        return {"one_of": ["true", "yes"] if result else ["false", "no"]}
    if isinstance(result, int | float):
        return {"number": result}
    if isinstance(result, str) and _is_plain(result):
        return {"contains": result}
    return None


def _spoken(value: object) -> str | None:
    """An argument in words; None where it cannot be said."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return f"minus {-value}" if value < 0 else f"{value}"
    if isinstance(value, str):
        return f"the text {value}" if _is_plain(value) else None
    if isinstance(value, list | tuple):
        if not value:
            return "an empty list"
        parts = [_spoken(each) for each in value if not isinstance(each, list | tuple)]
        if len(value) > MOST_ELEMENTS or len(parts) < len(value) or None in parts:
            return None
        return f"the list {', '.join(str(part) for part in parts)}"
    return None


def _is_plain(text: str) -> bool:
    return _PLAIN.fullmatch(text) is not None and len(text.split()) <= MOST_WORDS


def _words(name: str) -> str:
    return " ".join(re.sub(r"([a-z])([A-Z])", r"\1 \2", name).replace("_", " ").split()).lower()
