"""Conditions and matrices of a scenario: what is allowed, which cells there are, which call is in which."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.scenario.conditions import cell_number
from tests.scenario.conftest import Load, Problems

HEAD = "name: s\nconversation: [{say: [balance-rms, balance-awb]}]\n"
NAMED = HEAD + "conditions:\n  cafe: {noise: {kind: babble, snr: 10dB}}\n  line: {codec: gsm}\n"


def test_the_cells_of_a_matrix(load: Load) -> None:
    scenario = load(
        NAMED + "load: {sessions: 20}\n"
        "matrix: {condition: [clean, cafe, line], snr: [20dB, 0dB], accent: [us, scottish], frame: [20ms, 100ms]}\n"
    )
    names = [cell.name for cell in scenario.cells]
    assert len(names) == len(set(names)) == (1 + 2 + 1) * 2 * 2
    assert names[0] == "clean / us / 20ms frames"
    assert "cafe 0dB / scottish / 100ms frames" in names
    assert scenario.condition_labels == {"clean", "cafe 20dB", "cafe 0dB", "line"}


def test_a_ratio_changes_the_scenario_s_own_condition(load: Load) -> None:
    scenario = load(
        HEAD + "condition: {noise: {kind: white, snr: 30dB}, gain: -3dB}\nmatrix: {snr: [20dB, 0dB]}\n"
        "load: {sessions: 2}\n"
    )
    assert [cell.label for cell in scenario.cells] == ["white 20dB + gain -3dB", "white 0dB + gain -3dB"]
    ratios = [cell.condition.noise.snr for cell in scenario.cells if cell.condition and cell.condition.noise]
    assert ratios == [20.0, 0.0]


def test_no_matrix_no_cells(load: Load) -> None:
    assert load(NAMED).cells == []
    assert load(NAMED + "condition: cafe\n").condition_labels == {"cafe"}


@pytest.mark.parametrize(
    "text, said",
    [
        (
            NAMED + "condition: caffe\n",
            "s.yaml:6: condition: no condition 'caffe'; did you mean 'cafe'?; allowed: cafe,",
        ),
        (NAMED + "condition: 5\n", "condition: allowed: the name of one of the scenario's conditions"),
        (NAMED + "matrix: {condition: [cleen]}\n", "matrix.condition.0: no condition 'cleen'; did you mean 'clean'?"),
        (NAMED + "matrix: {}\n", "matrix: no axis; allowed: one or more of condition, snr, accent, frame"),
        (NAMED + "matrix: {frame: [5ms]}\n", "matrix.frame.0: found 5ms; allowed: 10ms to 200ms"),
        (NAMED + "matrix: {frame: [20ms, 20ms]}\nload: {sessions: 9}\n", "matrix.frame: found a value twice"),
        (NAMED + "matrix: {condition: [line], snr: [1dB]}\n", "matrix.snr: no condition has noise"),
        (
            NAMED + "matrix: {accent: [scotish, us]}\nload: {sessions: 9}\n",
            "no fixture with accent 'scotish'; did you",
        ),
        (NAMED + "matrix: {condition: [clean, cafe]}\n", "matrix: 2 cells for 1 calls"),
        (HEAD + "condition: {nois: {kind: white}}\n", "condition.nois: unknown key; allowed: speed, reverb, noise"),
        (HEAD + "condition: {noise: {kind: wite, snr: 3dB}}\n", "condition.noise.kind: found 'wite'; allowed: white"),
        (
            "name: s\nconversation:\n- {say: balance-rms, condition: {network: 5%}}\n"
            "- {say: balance-rms, condition: {network: {loss: 5%, conceal: silence}}}\n",
            "conversation.1.condition: another condition is called 'loss 5%' too",
        ),
        (
            "name: s\nconversation:\n- {say: balance-rms, condition: {gain: -6dB}}\n"
            "condition: {noise: {kind: white, snr: 20dB, between_turns: true}}\n",
            "conversation.0.condition: noise with between_turns goes on for a whole call",
        ),
        (
            NAMED + "condition: cafe\nthresholds: ['wer{condition=caffe} < 5%']\n",
            "no turn has condition=caffe; did you mean 'cafe'?; allowed: cafe",
        ),
        (
            NAMED + "matrix: {condition: [clean, cafe]}\nload: {sessions: 4}\nthresholds: ['wer{cell=x} < 5%']\n",
            "no turn has cell=x; allowed: cafe, clean",
        ),
    ],
)
def test_mistakes_are_named(problems: Problems, text: str, said: str) -> None:
    assert said in "\n".join(problems(text))


@given(st.integers(1, 12), st.integers(0, 1000), st.integers(0, 10))
def test_every_round_has_each_cell_once(cells: int, seed: int, round_: int) -> None:
    dealt = [cell_number(index, cells, seed) for index in range(round_ * cells, (round_ + 1) * cells)]
    assert sorted(dealt) == list(range(cells))


def test_the_order_changes_from_round_to_round() -> None:
    rounds = Counter(tuple(cell_number(4 * n + place, 4, 1) for place in range(4)) for n in range(200))
    assert len(rounds) == 24


TARGETS = "targets:\n" + "".join(f"  {name}: {{url: 'ws://127.0.0.1:9/{name}'}}\n" for name in ("one", "two", "three"))
IN_TURN = NAMED + TARGETS + "matrix: {target: [three, one], condition: [clean, cafe]}\n"


def test_targets_of_a_matrix_are_called_in_turn_and_are_no_cells(load: Load) -> None:
    found = load(IN_TURN + "load: {sessions: 8, callers: 4}\nthresholds: ['wer{target=two} < 5%', 'wer < 9%']\n")
    assert found.load.interleave
    assert list(found.targets) == ["one", "three"], "the others are not called, nor judged"
    assert [each.parsed.text for each in found.thresholds] == ["wer < 9%"]
    assert [cell.name for cell in found.cells] == ["clean", "cafe"]
    parts = found.parts()
    assert list(parts) == ["one", "three"]
    assert [cell.name for cell in parts["one"].cells] == ["clean", "cafe"]
    again = load(IN_TURN + "load: {sessions: 8, callers: 4}\n", target_name="two")
    assert again.matrix is not None
    assert (again.target_names, again.matrix.target, again.load.interleave) == (("two",), (), False)


def test_a_matrix_of_targets_alone_has_no_cells(load: Load) -> None:
    text = NAMED + TARGETS + "matrix: {target: [three, one]}\nload: {sessions: 2}\n"
    assert (load(text).cells, len(load(text).parts())) == ([], 2)
    assert load(text, target_name="one").matrix is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (IN_TURN + "load: {sessions: 3}\n", "matrix: 2 cells of 2 targets for 3 calls"),
        (IN_TURN + "load: {sessions: 4, interleave: false}\n", "load.interleave: found false with matrix.target"),
        (
            IN_TURN.replace("three, one", "tree, one"),
            "matrix.target.0: no target 'tree'; did you mean 'three'?",
        ),
        (IN_TURN.replace("three, one", "one"), "matrix.target: found one name; allowed: two or more"),
        (
            NAMED + "matrix: {target: [a, b]}\n",
            "matrix.target.0: no target 'a'; allowed: none, as the scenario has no targets",
        ),
    ],
)
def test_mistakes_in_the_targets_of_a_matrix_are_named(problems: Problems, text: str, said: str) -> None:
    assert said in "\n".join(problems(text))
