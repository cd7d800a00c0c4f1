"""Sets of questions as data: our own JSON lines, and files in the manner of GSM8K, MMLU and HumanEval.

In: a file of JSON lines. Out: `Question`s, each with what must be true of the reply (`expect` of a step). Trap: a set
is read aloud, so what cannot be said (a formula, a table) makes a question unfair; the user leaves such ones out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.config.problems import read_text
from bench.errors import BenchError
from bench.quality.spoken_code import UnspokenError, spoken_task
from bench.shipped import shipped

GRADERS = ("number", "contains", "one_of", "matches")
_ID = re.compile(r"[^A-Za-z0-9._-]+")
_LAST_NUMBER = re.compile(r"####\s*(-?[\d,]+(?:\.\d+)?)")
_LETTERS = "ABCDEFGH"


@dataclass(frozen=True, slots=True)
class Question:
    """One question: what is said, and what must be true of the reply."""

    id: str
    text: str
    expect: Mapping[str, Any]
    kind: str = "other"


def own_questions() -> Path:
    """The set that is shipped."""
    return shipped("scenarios/questions.jsonl")


def load_questions(path: Path, style: str = "own") -> list[Question]:
    """The questions of a file that can be spoken. Raises `BenchError` with the line that is wrong."""
    return read_questions(path, style)[0]


def read_questions(path: Path, style: str = "own") -> tuple[list[Question], list[str]]:
    """The questions of a file, and why others of its lines cannot be spoken. Raises `BenchError` for a wrong line."""
    read = STYLES[style]
    found: list[Question] = []
    unspoken: list[str] = []
    for number, line in enumerate(read_text(path, hint="a file of JSON lines").splitlines(), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            if not isinstance(row, dict):
                raise ValueError("no JSON object")
            question = read(row, number)
        except UnspokenError as error:
            unspoken.append(str(error))
            continue
        except (ValueError, KeyError, TypeError, IndexError) as error:
            said = f"no key {error}" if isinstance(error, KeyError) else str(error)
            raise BenchError(f"{path}:{number}: not a question: {said}", hint=_HINTS[style]) from error
        if any(each.id == question.id for each in found):
            raise BenchError(f"{path}:{number}: a second question '{question.id}'", hint="give each an id of its own")
        found.append(question)
    if not found:
        what = f"none of its {len(unspoken)} questions can be spoken" if unspoken else "no questions in it"
        raise BenchError(f"{path}: {what}", hint=_HINTS[style])
    return found, unspoken


def _own(row: Mapping[str, Any], number: int) -> Question:
    """`question`, `answer`, `grader` (number, contains, one_of, matches; default: by the kind of answer)."""
    answer = row["answer"]
    usual = "number" if isinstance(answer, int | float) else "one_of" if isinstance(answer, list) else "contains"
    grader = row.get("grader", usual)
    if grader not in GRADERS:
        raise ValueError(f"grader '{grader}'; allowed: {', '.join(GRADERS)}")
    return Question(_named(row, number), _text(row["question"]), {grader: answer}, str(row.get("kind", "other")))


def _gsm8k(row: Mapping[str, Any], number: int) -> Question:
    """`question`, and `answer` that ends with `#### 42`."""
    answer = row["answer"]
    found = _LAST_NUMBER.search(answer) if isinstance(answer, str) else None
    if found is None:
        raise ValueError("the answer does not end with '#### NUMBER'")
    value = float(found[1].replace(",", ""))
    return Question(_named(row, number), _text(row["question"]), {"number": value}, "arithmetic")


def _mmlu(row: Mapping[str, Any], number: int) -> Question:
    """`question`, `choices`, and `answer`: the place of the right one from 0, or its letter."""
    choices: Sequence[str] = row["choices"]
    answer = row["answer"]
    place = _LETTERS.index(answer.strip().upper()) if isinstance(answer, str) else int(answer)
    if not 0 <= place < len(choices) <= len(_LETTERS):
        raise ValueError(f"answer {answer!r} is none of the {len(choices)} choices")
    said = " ".join(f"{letter}: {choice}." for letter, choice in zip(_LETTERS, choices, strict=False))
    text = f"{_text(row['question'])} {said} Say the letter and the answer."
    right = [
        str(choices[place]),
        f"answer is {_LETTERS[place]}",
        f"option {_LETTERS[place]}",
        f"choice {_LETTERS[place]}",
    ]
    return Question(_named(row, number), text, {"one_of": right}, str(row.get("subject", "knowledge")))


def _humaneval(row: Mapping[str, Any], number: int) -> Question:
    """`prompt`, the head of a function whose docstring has examples, and `entry_point`, its name."""
    text, expect = spoken_task(row["prompt"], row["entry_point"])
    return Question(_named({"id": row.get("task_id", f"q{number:04d}")}, number), text, expect, "code")


STYLES: dict[str, Callable[[Mapping[str, Any], int], Question]] = {
    "own": _own,
    "gsm8k": _gsm8k,
    "mmlu": _mmlu,
    "humaneval": _humaneval,
}
_HINTS = {
    "own": 'a line is {"question": TEXT, "answer": NUMBER, TEXT or LIST, "grader": WORD, "id": NAME, "kind": WORD}; '
    "the last three may be left out",
    "gsm8k": 'a line is {"question": TEXT, "answer": "... #### 42"}',
    "humaneval": 'a line is {"prompt": "def name(...): ...", "entry_point": "name"}, with examples in the docstring',
    "mmlu": 'a line is {"question": TEXT, "choices": [TEXT, ...], "answer": 0 or "A"}',
}


def _named(row: Mapping[str, Any], number: int) -> str:
    found = _ID.sub("-", str(row.get("id", f"q{number:04d}"))).strip("-.")
    if not found:
        raise ValueError("an id without letters or digits")
    return found[:60]


def _text(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError("the question is no text")
    return " ".join(value.split())
