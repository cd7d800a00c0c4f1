"""Words of a model, cut into what is spoken at a time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.scenario.cascade import Sentences
from bench.server.engines.cascade.sentences import SentenceSplitter


def cut(pieces: list[str], **policy: object) -> list[str]:
    splitter = SentenceSplitter(Sentences.model_validate(policy))
    found = [sentence for piece in pieces for sentence in splitter.feed(piece)]
    rest = splitter.rest()
    return found if rest is None else [*found, rest]


@pytest.mark.parametrize(
    ("pieces", "policy", "found"),
    [
        (["Good day. ", "How are", " you? Fine"], {}, ["Good day.", "How are you?", "Fine"]),
        (["It costs 3", ".", "5 dollars. ", "Yes"], {}, ["It costs 3.5 dollars.", "Yes"]),
        (["Yes. ", "I can do that. "], {}, ["Yes. I can do that."]),
        (["Yes. ", "I can do that. "], {"shortest": 1}, ["Yes.", "I can do that."]),
        (["Well, of course, sir. "], {"split": "clause", "shortest": 3}, ["Well,", "of course,", "sir."]),
        (["One. Two. Three."], {"split": "whole", "shortest": 1}, ["One. Two. Three."]),
        (['He said "no." And left.'], {"shortest": 1}, ['He said "no."', "And left."]),
        (["今日は。元気ですか？"], {"shortest": 1}, ["今日は。", "元気ですか？"]),
        (["  \n "], {}, []),
    ],
)
def test_where_it_is_cut(pieces: list[str], policy: dict[str, object], found: list[str]) -> None:
    assert cut(pieces, **policy) == found


@given(
    st.lists(st.text("ab .,!?\n3…。", max_size=6)), st.sampled_from(["sentence", "clause", "whole"]), st.integers(1, 20)
)
def test_nothing_is_lost_and_nothing_added(pieces: list[str], split: str, shortest: int) -> None:
    said = "".join(cut(pieces, split=split, shortest=shortest))
    assert "".join(said.split()) == "".join("".join(pieces).split())


def test_a_text_without_an_end_is_cut_all_the_same() -> None:
    found = cut(["word " * 1000])
    assert max(len(piece) for piece in found) <= 1000
    assert " ".join(found).split() == ["word"] * 1000
