"""A YAML file as plain data in which every key remembers its line.

In: text, and the environment for `${NAME}`. Out: a `Document` (dicts, lists, scalars; `marks` from key path to line)
and every problem met on the way. Trap: this is not YAML 1.1 as PyYAML reads it by default: `no` and `on` are texts,
`1:30` is a text, `007` is a text, a date is a text. Only true/false, null and decimal numbers are anything else, and of
those `written` keeps the words, for a key that turns out to want a text.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml
from yaml.error import MarkedYAMLError
from yaml.reader import ReaderError

from bench.config.secrets import looks_like_key, names_secret, without_keys
from bench.terminal import readable

Loc = tuple[str | int, ...]
MAX_NODES = 500_000

_TAG = "tag:yaml.org,2002:"
_INT = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,17})", re.ASCII)
_FLOAT = re.compile(
    r"[-+]?(?:[0-9]{1,20}\.[0-9]{0,20}|\.[0-9]{1,20})(?:[eE][-+]?[0-9]{1,3})?|[-+]?[0-9]{1,20}[eE][-+]?[0-9]{1,3}",
    re.ASCII,
)
_VARIABLE = re.compile(r"\$\$\{|\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}|\$\{", re.ASCII)


@dataclass(frozen=True, slots=True)
class Mark:
    """Where a key was found: `file:line` or the option that set it; `order` sorts problems by line."""

    origin: str
    order: int


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong, at a key (`loc` may be empty) and a place."""

    mark: Mark
    loc: Loc
    sentence: str

    def __str__(self) -> str:
        key = ".".join(str(part) for part in self.loc)
        return without_keys(
            f"{self.mark.origin}: {key}: {self.sentence}" if key else f"{self.mark.origin}: {self.sentence}"
        )


@dataclass(slots=True)
class Document:
    """What was read. `data` holds what could be read, so that later checks can add to `problems`."""

    data: Any
    marks: dict[Loc, Mark]
    problems: list[Problem] = field(default_factory=list)
    written: dict[Loc, str] = field(default_factory=dict)
    """How numbers and true/false without quotes were written: `1.0`, `1e5`, `True`."""

    def mark_at(self, loc: Loc) -> Mark:
        """The mark of `loc`, or of the nearest key around it."""
        while loc not in self.marks and loc:
            loc = loc[:-1]
        return self.marks[loc]


class _Words(yaml.SafeLoader):
    """PyYAML's safe composer in which every scalar but null is a text."""

    yaml_implicit_resolvers: dict[Any, Any] = {}  # noqa: RUF012 - PyYAML's own class attribute, replaced on purpose


class _FastWords(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """`_Words` in C where PyYAML has it: ten times as fast, with poorer messages."""

    yaml_implicit_resolvers: dict[Any, Any] = {}  # noqa: RUF012


class _Typed(yaml.SafeLoader):
    """`_Words` with the few types of the module's docstring."""

    yaml_implicit_resolvers: dict[Any, Any] = {}  # noqa: RUF012


for _loader in (_Words, _FastWords, _Typed):
    _loader.add_implicit_resolver(_TAG + "null", re.compile(r"(?:~|null|Null|NULL|)$"), ["~", "n", "N", ""])
for _kind, _pattern, _first in (
    ("bool", "true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", _INT.pattern, "-+0123456789"),
    ("float", _FLOAT.pattern, "-+0123456789."),
):
    _Typed.add_implicit_resolver(_TAG + _kind, re.compile(rf"(?:{_pattern})$", re.ASCII), list(_first))
_TYPES = _Typed("")


def read_yaml(
    text: str, *, name: str, env: Mapping[str, str] | None = None, option: Mark | None = None, words: bool = False
) -> Document:
    """Parse `text`; `name` is what problems call it.

    Without `env`, `${NAME}` is plain text. `words`: numbers and true/false are read as the texts they are written in.
    `option`: the text was given by a command line option.
    """
    root = option or Mark(f"{name}:1", 1)
    document = Document(None, {(): root})
    try:
        node = _composed(text, words)
        if node is not None:
            document.data = _Reader(document, name, env, option).value(node, ())
    except MarkedYAMLError as error:
        document.problems.append(_syntax_problem(error, text, name, option, interpolated=env is not None))
    except ReaderError as error:
        line, column = _line_column(text, int(error.position))
        mark = option or Mark(f"{name}:{line}:{column}", line)
        document.problems.append(
            Problem(mark, (), f"not valid YAML: the character #x{error.character:04x} is not text")
        )
    except RecursionError:
        document.problems.append(Problem(root, (), "nested too deeply"))
    return document


def read_text_value(text: str, *, env: Mapping[str, str], option: Mark) -> Document:
    """`text` as it is, but for `${NAME}`; given by a command line option."""
    document = Document(None, {(): option})
    document.data = _Reader(document, "", env, option).scalar(yaml.ScalarNode(_TAG + "str", text, style="'"), ())
    return document


def _composed(text: str, words: bool) -> yaml.Node | None:
    if words:
        try:
            return _compose(text, _FastWords)
        except yaml.YAMLError:
            pass  # once more in Python, for the message
    return _compose(text, _Words if words else _Typed)


def _compose(text: str, kind: type[Any]) -> yaml.Node | None:
    # PyYAML's scanner rejects a leading byte order mark only in the middle of a text; at its start it is harmless.
    loader = kind(text)
    try:
        node: yaml.Node | None = loader.get_single_node()
    finally:
        loader.dispose()
    return node


@dataclass(slots=True)
class _Reader:
    """Walks composed nodes once, in order; collects values, marks and problems."""

    document: Document
    name: str
    env: Mapping[str, str] | None
    option: Mark | None
    seen: int = 0
    open_nodes: set[int] = field(default_factory=set)

    def value(self, node: yaml.Node, loc: Loc) -> Any:
        """The plain value of `node`."""
        self.seen += 1
        if not self.readable(node, loc):
            return None
        if isinstance(node, yaml.ScalarNode):
            return self.scalar(node, loc)
        expected = "map" if isinstance(node, yaml.MappingNode) else "seq"
        if node.tag != _TAG + expected:
            self.problem(node, loc, f"found the tag {_short_tag(node.tag)}; allowed: no tags")
        self.open_nodes.add(id(node))
        result = self.mapping(node, loc) if isinstance(node, yaml.MappingNode) else self.sequence(node, loc)
        self.open_nodes.discard(id(node))
        return result

    def mapping(self, node: yaml.MappingNode, loc: Loc) -> dict[str, Any]:
        """Keys are texts, each at most once."""
        result: dict[str, Any] = {}
        self.fill(result, node, loc)
        return result

    def fill(self, result: dict[str, Any], node: yaml.MappingNode, loc: Loc) -> None:
        """Add the keys of `node` that `result` does not have, then those of the mappings that it merges (`<<`).

        A merged key keeps the line on which it is written.
        """
        merges: list[yaml.Node] = []
        lines: dict[str, int] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                self.problem(key_node, loc, "found a key that is a list or a mapping; allowed: a word")
                continue
            key = str(key_node.value)
            at = (*loc, key)
            if key in lines:
                self.problem(key_node, at, f"found twice, first in line {lines[key]}; allowed: once")
                continue
            lines[key] = key_node.start_mark.line + 1
            if key == "<<" and not key_node.style:
                merges = value_node.value if isinstance(value_node, yaml.SequenceNode) else [value_node]
            elif key not in result:
                self.document.marks[at] = self.mark(key_node)
                result[key] = self.value(value_node, at)
        for merged in merges:
            self.merge(result, merged, loc)

    def merge(self, result: dict[str, Any], node: yaml.Node, loc: Loc) -> None:
        """`<<: *name`, or one of a list of such: of a key that several have, the first is taken."""
        if not isinstance(node, yaml.MappingNode):
            self.problem(node, (*loc, "<<"), "found no mapping; allowed: <<: *name, or a list of such")
            return
        self.seen += 1 + len(node.value)
        if self.readable(node, loc):
            self.open_nodes.add(id(node))
            self.fill(result, node, loc)
            self.open_nodes.discard(id(node))

    def readable(self, node: yaml.Node, loc: Loc) -> bool:
        """False, with a problem, for what would never end."""
        if self.seen <= MAX_NODES and id(node) not in self.open_nodes:
            return True
        reason = "an alias inside of what it names" if self.seen <= MAX_NODES else f"more than {MAX_NODES} values"
        self.problem(node, loc, f"not readable: {reason}")
        return False

    def sequence(self, node: yaml.Node, loc: Loc) -> list[Any]:
        items = []
        for index, item in enumerate(node.value):
            at = (*loc, index)
            self.document.marks[at] = self.mark(item)
            items.append(self.value(item, at))
        return items

    def scalar(self, node: yaml.ScalarNode, loc: Loc) -> Any:
        text, tag = str(node.value), str(node.tag)
        if self.env is not None and "${" in text:
            env = self.env
            text = _VARIABLE.sub(lambda match: self.variable(match, node, loc, env), text)
            if node.style is None:  # unquoted: `${N:-5}` is a number, as if it had been written there
                tag = str(_TYPES.resolve(yaml.ScalarNode, text, (True, False)))  # type: ignore[no-untyped-call]
        kind = tag.removeprefix(_TAG)
        if kind == "str":
            return text
        if kind in {"bool", "int", "float"} and not node.style:
            self.document.written[loc] = text
        if kind == "null":
            return None
        if kind == "bool" and text.lower() in {"true", "false"}:
            return text.lower() == "true"
        if kind == "int" and _INT.fullmatch(text):
            return int(text)
        if kind == "float" and _FLOAT.fullmatch(text) and math.isfinite(float(text)):
            return float(text)
        self.problem(node, loc, f"found the tag {_short_tag(tag)} or a number out of range; allowed: plain values")
        return None

    def variable(self, match: re.Match[str], node: yaml.ScalarNode, loc: Loc, env: Mapping[str, str]) -> str:
        """The value of `${NAME}` or `${NAME:-default}`; without one, a problem and the unchanged text."""
        if match[0] == "$${":
            return "${"
        if match[1] is None:
            self.problem(node, loc, "found ${ without a name and }; allowed: ${NAME}, ${NAME:-default}, $${ for ${")
            return match[0]
        name, default = match[1], match[2]
        value = env.get(name)
        if names_secret(name) or (value is not None and looks_like_key(value)):
            self.problem(
                node, loc, f"${{{name}}} would write a secret into the run; allowed: env:{name}, where a secret goes"
            )
            return match[0]
        if default is not None and not value:
            return default
        if value is None:
            self.problem(
                node, loc, f"the environment variable {name} is not set; set it, or write ${{{name}:-default}}"
            )
            return match[0]
        return readable([value])[0]

    def mark(self, node: yaml.Node) -> Mark:
        line = node.start_mark.line + 1
        return self.option or Mark(f"{self.name}:{line}", line)

    def problem(self, node: yaml.Node, loc: Loc, sentence: str) -> None:
        self.document.problems.append(Problem(self.mark(node), loc, sentence))


def _syntax_problem(
    error: MarkedYAMLError, text: str, name: str, option: Mark | None, *, interpolated: bool
) -> Problem:
    place = error.problem_mark or error.context_mark
    line, column = (place.line + 1, place.column + 1) if place else (1, 1)
    lines = text.splitlines()
    shown = lines[line - 1] if line <= len(lines) else ""
    reason = error.problem or "it cannot be read"
    if "\t" in shown[: len(shown) - len(shown.lstrip())] or "'\\t'" in reason:
        sentence = "not valid YAML: a tab; allowed: spaces for indentation"
    elif "expected a single document" in (error.context or ""):
        sentence = "not one document: a second begins (---); allowed: one document in a file"
    else:
        context = f" {error.context}" if error.context else ""
        sentence = f"not valid YAML: {reason}{context}"
        if "mapping values are not allowed" in reason:
            sentence += "; a text with a colon and a space in it needs quotes"
        if interpolated and "${" in shown:
            sentence += "; inside { } and [ ] write ${NAME} in quotes"
    return Problem(option or Mark(f"{name}:{line}:{column}", line), (), sentence)


def _line_column(text: str, position: int) -> tuple[int, int]:
    before = text[:position]
    return before.count("\n") + 1, position - (before.rfind("\n") + 1) + 1


def _short_tag(tag: str) -> str:
    return "!!" + tag.removeprefix(_TAG) if tag.startswith(_TAG) else tag
