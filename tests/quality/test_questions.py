"""Sets of questions: what is read, what is refused, and that they can be asked."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bench.errors import BenchError
from bench.quality.prepare import prepare
from bench.quality.questions import Question, load_questions, own_questions, read_questions
from bench.quality.spoken_code import UnspokenError, spoken_task
from bench.scenario.read import load_scenario


def file_of(folder: Path, *rows: object) -> Path:
    path = folder / "q.jsonl"
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    return path


def test_the_shipped_set_is_of_three_kinds() -> None:
    found = load_questions(own_questions())
    assert len(found) >= 30
    assert min(Counter(each.kind for each in found).values()) >= 10
    assert set(Counter(each.kind for each in found)) == {"knowledge", "arithmetic", "multi-hop"}


def test_files_of_others_are_read(tmp_path: Path) -> None:
    gsm8k = {"question": "Two and two?", "answer": "2+2=4 <<2+2=4>>\n#### 1,004"}
    assert load_questions(file_of(tmp_path, gsm8k), "gsm8k")[0].expect == {"number": 1004.0}
    mmlu = {"question": "Capital of France?", "choices": ["Rome", "Paris"], "answer": 1, "subject": "geography"}
    for answer in (1, "B"):
        (found,) = load_questions(file_of(tmp_path, {**mmlu, "answer": answer}), "mmlu")
        assert found.expect["one_of"][:2] == ["Paris", "answer is B"]
        assert found.text == "Capital of France? A: Rome. B: Paris. Say the letter and the answer."
    own = {"question": "x?", "answer": ["a", "b"], "id": "my question"}
    assert load_questions(file_of(tmp_path, own)) == [Question("my-question", "x?", {"one_of": ["a", "b"]})]


@pytest.mark.parametrize(
    ("style", "row", "sentence"),
    [
        ("own", {"question": "x?"}, "q.jsonl:1: not a question: no key 'answer'"),
        ("own", {"question": " ", "answer": 1}, "the question is no text"),
        ("own", {"question": "x?", "answer": 1, "grader": "guess"}, "grader 'guess'; allowed: number"),
        ("own", [1], "no JSON object"),
        ("gsm8k", {"question": "x?", "answer": "42"}, "does not end with"),
        ("mmlu", {"question": "x?", "choices": ["a"], "answer": 1}, "none of the 1 choices"),
        ("humaneval", {"prompt": "def f(:", "entry_point": "f"}, "q.jsonl:1: not a question: the prompt is no Python"),
        ("humaneval", {"prompt": "def f(): pass", "entry_point": "g"}, "the prompt has no function 'g'"),
        ("humaneval", {"prompt": "def f(): pass", "entry_point": "f"}, "none of its 1 questions can be spoken"),
    ],
)
def test_what_is_refused(style: str, row: object, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=sentence):
        load_questions(file_of(tmp_path, row), style)


def test_they_become_a_scenario_that_asks_each_once(tmp_path: Path) -> None:
    questions = load_questions(own_questions())[:3]
    scenario = load_scenario(prepare(questions, tmp_path / "set", name="quality"))
    assert scenario.fixture_ids == tuple(each.id for each in questions)
    assert scenario.load.sessions == 3
    step = scenario.conversation[0]
    assert next(each.contains or each.one_of for each in step.all_expected) == ("Canberra",)
    with pytest.raises(BenchError, match="3 recordings are missing"):
        prepare(questions, tmp_path / "other", name="quality", recordings=tmp_path)


def test_a_function_is_asked_for_one_of_its_results(tmp_path: Path) -> None:
    prompt = (
        "from typing import List\n\n\n"
        "def count_above(numbers: List[float], lower_bound: float) -> int:\n"
        '    """Count the numbers that are\n    greater than the bound\n'
        "    >>> count_above([1.0, [2]], 0)\n    1\n"
        '    >>> count_above([1.5, -2, 7], 1)\n    2\n    """\n'
    )
    lines = [{"task_id": "Set/7", "prompt": prompt, "entry_point": "count_above", "test": "never run"}]
    lines.append({**lines[0], "task_id": "Set/8", "prompt": prompt.replace('2\n    "', '{}\n    "')})
    (found,), unspoken = read_questions(file_of(tmp_path, *lines), "humaneval")
    assert (found.id, found.kind, found.expect) == ("Set-7", "code", {"number": 2})
    assert found.text == (
        "A function is called count above. This is what it does. Count the numbers that are greater than the bound. "
        "What does it return for numbers: the list 1.5, minus 2, 7, and for lower bound: 1? Say only what it returns."
    )
    assert unspoken == ["no example whose arguments and result are plain words or numbers"]


@pytest.mark.parametrize(
    ("example", "expect"),
    [
        ("f('hello') ➞ 'olleh'", {"contains": "olleh"}),
        ('f("it\'s") == True', {"one_of": ["true", "yes"]}),
        ("f(0) => False", {"one_of": ["false", "no"]}),
        ("For f((1, 2)) returns 3.5.", {"number": 3.5}),
        (">>> f([])\n    -1", {"number": -1}),
    ],
)
def test_results_that_can_be_said(example: str, expect: object) -> None:
    prompt = f'def f(x):\n    """It does it.\n\n    {example}\n    """\n'
    assert spoken_task(prompt, "f")[1] == expect


@pytest.mark.parametrize(
    "example",
    ["f('()') == 3", "f({}) == 3", "f(1) == [1, 2]", "f(1) == None", "f(x) == 1", "f() == 1", "f(list(range(9))) == 1"],
)
def test_results_that_cannot(example: str) -> None:
    with pytest.raises(UnspokenError):
        spoken_task(f'def f(x):\n    """It does it.\n\n    {example}\n    """\n', "f")


@given(st.text(max_size=60), st.text(max_size=40) | st.builds("{}) == {}".format, st.integers(), st.integers()))
@example("It adds.", "2) == 3")
def test_no_docstring_breaks_the_reader(told: str, case: str) -> None:
    prompt = f"def f(x):\n    {(told + chr(10) + 'f(' + case)!r}\n"
    try:
        text, expect = spoken_task(prompt, "f")
    except ValueError:
        assert (told, case) != ("It adds.", "2) == 3")
        return
    assert text
    assert len(expect) == 1
