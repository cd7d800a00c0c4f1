"""YAML to plain data: lines of keys, plain types, variables, and files that are no scenario."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from bench.config.problems import ConfigError
from bench.config.yaml_reader import MAX_NODES, read_yaml
from bench.scenario.read import load_scenario

ENV = {"N": "5", "EMPTY": "", "WORD": "hello", "TRUE": "true"}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5", 5),
        ("-5", -5),
        ("007", "007"),
        ("1:30", "1:30"),
        ("1_000", "1_000"),
        ("0x10", "0x10"),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        ("no", "no"),
        ("on", "on"),
        ("True", True),
        ("2026-11-22", "2026-11-22"),
        ("~", None),
        ("", None),
        ('"5"', "5"),
        (".nan", ".nan"),
        ("123456789012345678901", "123456789012345678901"),
        ("${N}", 5),
        ('"${N}"', "5"),
        ("${TRUE}", True),
        ("${MISSING:-7}", 7),
        ("${EMPTY:-7}", 7),
        ("${EMPTY}", None),
        ("${N}s", "5s"),
        ("${WORD} ${WORD}", "hello hello"),
        ("$${N}", "${N}"),
        ("$N", "$N"),
    ],
)
def test_scalars(text: str, value: object) -> None:
    document = read_yaml(f"a: {text}", name="s.yaml", env=ENV)
    assert document.problems == []
    assert document.data == {"a": value}
    assert type(document.data["a"]) is type(value)


def test_every_key_has_its_line() -> None:
    text = "# c\na:\n  b:\n    - c: 1\n    -\n      d: 2\ne: {f: 1,\n  g: 2}\n"
    marks = read_yaml(text, name="s", env={}).marks
    lines = {".".join(map(str, loc)): mark.order for loc, mark in marks.items()}
    assert lines == {
        "": 1,
        "a": 2,
        "a.b": 3,
        "a.b.0": 4,
        "a.b.0.c": 4,
        "a.b.1": 6,
        "a.b.1.d": 6,
        "e": 7,
        "e.f": 7,
        "e.g": 8,
    }


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a: 1\nb: 2\na: 3", "s:3: a: found twice, first in line 1; allowed: once"),
        ("a: ${MISSING}", "s:1: a: the environment variable MISSING is not set; set it, or write ${MISSING:-default}"),
        ("a: '${1}'", "s:1: a: found ${ without a name and }; allowed: ${NAME}, ${NAME:-default}, $${ for ${"),
        ("a: &x [*x]", "s:1: a.0: not readable: an alias inside of what it names"),
        ("a: !!python/name:os.system x", "s:1: a: found the tag !!python/name:os.system or a number out of range"),
        ("a: !thing {b: 1}", "s:1: a: found the tag !thing; allowed: no tags"),
        ("a: 1e999", "s:1: a: found the tag !!float or a number out of range; allowed: plain values"),
        ("? [a]\n: 1", "s:1: found a key that is a list or a mapping; allowed: a word"),
        ("y:\n  <<: 5", "s:2: y.<<: found no mapping; allowed: <<: *name, or a list of such"),
        ("y: &y\n  <<: *y", "y: not readable: an alias inside of what it names"),
        ("x: &x {a: 1}\ny:\n  <<: *x\n  <<: *x", "s:4: y.<<: found twice, first in line 3; allowed: once"),
        ("x: &x {a: 1, b: '${MISSING}'}\ny: {<<: *x, b: 2}", "s:1: x.b: the environment variable MISSING is not set"),
        ("a: Be brief: one sentence.", "a text with a colon and a space in it needs quotes"),
        ("a: 1\n\tb: 2", "s:2:1: not valid YAML: a tab; allowed: spaces for indentation"),
        ("a: [1,", "s:1:7: not valid YAML: "),
        ("a: 1\n---\nb: 2", "s:2:1: not one document: a second begins (---); allowed: one document in a file"),
        ("a: 1\nb: \x01", "s:2:4: not valid YAML: the character #x0001 is not text"),
        ("a: {b: ${N}}", "inside { } and [ ] write ${NAME} in quotes"),
        ("[" * 3000, "s:1: nested too deeply"),
    ],
)
def test_problems_of_a_text(text: str, found: str) -> None:
    problems = [str(problem) for problem in read_yaml(text, name="s", env=ENV).problems]
    assert len(problems) == 1
    assert found in problems[0]


def test_a_text_that_multiplies_itself_is_refused() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    problems = read_yaml("\n".join(lines), name="s", env={}).problems
    assert problems
    assert f"more than {MAX_NODES} values" in str(problems[0])


def test_mappings_merge_and_every_key_keeps_its_line() -> None:
    text = "one: &one {a: 1, b: {c: 1}}\ntwo: &two\n  b: 2\n  d: 2\n  <<: {e: 9}\nz:\n  <<: [*one, *two]\n  a: 0\n"
    document = read_yaml(text, name="s", env={})
    assert document.problems == []
    assert document.data["z"] == {"a": 0, "b": {"c": 1}, "d": 2, "e": 9}
    lines = {".".join(map(str, loc[1:])): mark.order for loc, mark in document.marks.items() if loc[:1] == ("z",)}
    assert lines == {"": 6, "a": 8, "b": 1, "b.c": 1, "d": 4, "e": 5}
    assert read_yaml("z: {'<<': {a: 1}}", name="s").data == {"z": {"<<": {"a": 1}}}


def test_merges_that_multiply_themselves_are_refused() -> None:
    lines = ["a0: &a0 {k: x}"]
    for number in range(1, 12):
        merged = ", ".join([f"*a{number - 1}"] * 10)
        lines.append(f"a{number}: &a{number} " + ("{<<: [" + merged + "]}"))
    problems = read_yaml("\n".join(lines), name="s", env={}).problems
    assert f"more than {MAX_NODES} values" in str(problems[0])


def test_what_yaml_reads_as_something_else_keeps_its_words() -> None:
    text = "a: 1.0\nb: {c: 1e5, d: [True, '2', x]}\ne: ~\nf: ${N}\ng: !!int 3"
    assert read_yaml(text, name="s", env=ENV).written == {
        ("a",): "1.0",
        ("b", "c"): "1e5",
        ("b", "d", 0): "True",
        ("f",): "5",
        ("g",): "3",
    }


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"", "s.yaml:1: the file is empty; allowed: a mapping"),
        (b"# nothing\n", "the file is empty"),
        (b"- a\n- b\n", "found a list or a single value"),
        (b"just text", "found a list or a single value"),
        (b"name: \xff\xfe", "not a UTF-8 text (byte 6)"),
    ],
)
def test_files_that_are_no_scenario(content: bytes, found: str, tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        load_scenario(path, env={})
    assert found in caught.value.message
    assert caught.value.exit_code == 2


def test_a_byte_order_mark_is_no_matter(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_bytes(b"\xef\xbb\xbfname: x\nconversation: [{say: yes-slt}]\n")
    assert load_scenario(path, env={}).name == "x"


def test_a_missing_file_names_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "quickstart.yaml").write_text("name: x", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"no such file; did you mean '.*quickstart\.yaml'\?"):
        load_scenario(tmp_path / "quikstart.yaml")
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        load_scenario(tmp_path)


_plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**17), 10**17) | st.text(st.characters(codec="utf-8"), max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("abc-_", min_size=1, max_size=4), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(_plain)
def test_what_yaml_writes_is_read_back(value: object) -> None:
    if "${" in repr(value):
        return
    document = read_yaml(yaml.safe_dump({"a": value}), name="s", env={})
    assert document.problems == []
    assert document.data == {"a": value}


@given(st.text(max_size=60) | st.text("ab:-{}[]&*!|>%#'\t\n @1,?", max_size=20))
def test_any_text_gives_data_or_a_problem_with_a_place(text: str) -> None:
    document = read_yaml(text, name="s", env={})
    assert all(problem.mark.origin.startswith("s:") for problem in document.problems)
    try:
        yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError:
        assert document.problems
