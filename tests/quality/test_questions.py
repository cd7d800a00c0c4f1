"""Sets of questions: what is read, what is refused, and that they can be asked."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from bench.errors import BenchError
from bench.quality.prepare import prepare
from bench.quality.questions import Question, load_questions, own_questions
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
