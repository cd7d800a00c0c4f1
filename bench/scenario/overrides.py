"""`--set path=value` and `--url`: changes to a document before it is checked, marked with the option they came from.

In: a `Document` and the options' texts. Out: the document changed in place, or a problem added to it.
A key that wants a text gets it as it is typed: no YAML is read into `Be brief: one sentence.` or `Say # twice`.
Trap: a path that names no key of the schema is not refused here. The checks that follow refuse it like a key in the
file, and name the option.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bench.config.block import Block
from bench.config.text_fields import Wanted, wanted_at
from bench.config.yaml_reader import Document, Loc, Mark, Problem, read_text_value, read_yaml

_FIRST = 1_000_000  # options are reported after every line of the file
_QUOTES, _BRACKETS, _NULLS = ("'", '"'), ("[", "{"), ("", "~", "null", "Null", "NULL")
_REPLACES: Mapping[Loc, Loc] = {
    ("load", "sessions"): ("load", "duration"),
    ("load", "duration"): ("load", "sessions"),
    ("target",): ("targets",),
    ("targets",): ("target",),
}
"""Keys of which only one may be given: setting one removes the other."""


def apply_overrides(document: Document, overrides: Sequence[str], env: Mapping[str, str], schema: type[Block]) -> None:
    """Set each `path=value`, in order: a text where `schema` wants one, else a value that is read as YAML."""
    given: set[Loc] = set()
    for index, text in enumerate(overrides):
        path, equals, value_text = text.partition("=")
        path = path.strip()
        mark = Mark(f"--set {path}" if equals else "--set", _FIRST + index)
        if not equals or not path or not all(path.split(".")):
            sentence = "not of the form path=value; allowed: for example --set load.callers=50"
            document.problems.append(Problem(mark, (), sentence))
            continue
        wanted = wanted_at(schema, _as_loc(path))
        value = _typed(value_text, wanted, env, mark)
        loc = set_value(document, path.split("."), value, mark)
        other = _REPLACES.get(loc)
        if other and other not in given:
            _remove(document, other)
        given.add(loc)


def _as_loc(path: str) -> Loc:
    return tuple(int(word) if word.isdecimal() else word for word in path.split("."))


def _typed(text: str, wanted: Wanted, env: Mapping[str, str], mark: Mark) -> Document:
    """The value of an option: a text as it was typed, where one is wanted and it is not written as YAML on purpose.

    On purpose are: quotes around the whole, null (or nothing) for a key that may be absent, and a list or mapping in
    brackets where the key takes one.
    """
    words = text.strip()
    as_yaml = read_yaml(text, name="--set", env=env, option=mark)
    quoted = words[:1] in _QUOTES and words[:1] == words[-1:] and isinstance(as_yaml.data, str)
    absent = wanted.null and words in _NULLS
    nested = wanted.nested and words[:1] in _BRACKETS
    if not wanted.text or quoted or absent or nested:
        return as_yaml
    return read_text_value(words, env=env, option=mark)


def set_value(document: Document, path: Sequence[str], value: Document, mark: Mark) -> Loc:
    """Put `value` at `path`, making mappings on the way; returns where that is, or () after a problem."""
    if document.data is None:
        document.data = {}
    here: Any = document.data
    loc: Loc = ()
    for depth, word in enumerate(path):
        last = depth == len(path) - 1
        key: str | int = word
        if isinstance(here, list):
            if not word.isdecimal() or int(word) >= len(here):
                allowed = f"0 to {len(here) - 1}" if here else "none, the list is empty"
                return _refuse(document, mark, (*loc, word), f"no item '{word}' in the list; allowed: {allowed}")
            key = int(word)
        elif not isinstance(here, dict):
            whole = ".".join(str(part) for part in loc)
            found = f"'{here}'" if isinstance(here, str) else str(here)
            return _refuse(
                document, mark, loc, f"found {found}, which has no keys; set it whole: --set '{whole}={{{word}: ...}}'"
            )
        loc = (*loc, key)
        if last:
            _forget(document, loc)
            here[key] = value.data
            document.marks |= {(*loc, *inner): mark for inner in value.marks}
            document.written |= {(*loc, *inner): words for inner, words in value.written.items()}
            document.problems += [Problem(mark, loc, problem.sentence) for problem in value.problems]
        else:
            if isinstance(here, dict) and here.get(word) is None:
                here[word] = {}
                document.marks[loc] = mark
            here = here[key]
    return loc


def apply_url(document: Document, url: str, target_name: str | None) -> None:
    """Set `url` on the target that will be used; adds a target when the scenario has none."""
    mark = Mark("--url", _FIRST * 2)
    path = ["target", "url"]
    targets = document.data.get("targets") if isinstance(document.data, dict) else None
    if isinstance(targets, dict) and targets:
        name = target_name or (next(iter(targets)) if len(targets) == 1 else None)
        if name is None or name not in targets:
            load, matrix = (document.data.get(key) for key in ("load", "matrix"))
            asked = isinstance(load, dict) and load.get("interleave") is True
            asked |= isinstance(matrix, dict) and bool(matrix.get("target"))
            if name is None and asked:
                allowed = f"--target with one of {', '.join(map(str, targets))}, or --set targets.NAME.url=URL"
                document.problems.append(Problem(mark, (), f"found with interleaved targets; allowed: {allowed}"))
            return  # choosing the target will say so
        path = ["targets", name, "url"]
    set_value(document, path, Document(url, {(): mark}), mark)
    _remove(document, (*path[:-1], "cascade"))  # that server is called in its place


def apply_thresholds(document: Document, texts: Sequence[str]) -> None:
    """Add the bounds of `--threshold` to those of the scenario."""
    if not texts or not isinstance(document.data, dict):
        return
    given = document.data.get("thresholds")
    if isinstance(given, dict):
        # The marks of a mapping are by its keys; those of a list by place.
        for place, key in enumerate(given):
            mark = document.mark_at(("thresholds", key))
            document.marks[("thresholds", place)] = mark
        given = [{key: value} for key, value in given.items()]
    bounds = [given] if isinstance(given, str) else list(given or [])
    for index, text in enumerate(texts):
        document.marks[("thresholds", len(bounds))] = Mark("--threshold", _FIRST * 4 + index)
        bounds.append(text)
    document.data["thresholds"] = bounds


def _refuse(document: Document, mark: Mark, loc: Loc, sentence: str) -> Loc:
    document.problems.append(Problem(mark, loc, sentence))
    return ()


def _forget(document: Document, loc: Loc) -> None:
    """Drop marks and problems of the value at `loc` in the file: it is replaced."""
    inside = [known for known in document.marks if known[: len(loc)] == loc]
    for known in inside:
        del document.marks[known]
    for known in [known for known in document.written if known[: len(loc)] == loc]:
        del document.written[known]
    document.problems = [problem for problem in document.problems if problem.loc[: len(loc)] != loc]


def _remove(document: Document, loc: Loc) -> None:
    here = document.data
    for part in loc[:-1]:
        here = here.get(part) if isinstance(here, dict) else None
    if isinstance(here, dict) and loc[-1] in here:
        del here[loc[-1]]
        _forget(document, loc)
