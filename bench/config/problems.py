"""From a YAML file to a checked `Block`, or to one error with all that is wrong: where, which key, what is allowed.

In: a path or a `Document`, and the class of the whole. Out: the block, or `Problem`s, raised as one `ConfigError`.
Trap: an error's input may be a secret; values under credentials, headers and query are never repeated.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args, get_origin

from pydantic import Tag, ValidationError
from pydantic_core import ErrorDetails

from bench.config.block import Block, nearest
from bench.config.secrets import looks_like_key
from bench.config.text_fields import keep_texts
from bench.config.yaml_reader import Document, Loc, Mark, Problem, read_yaml
from bench.errors import BenchError, ExitCode

AnyBlock = TypeVar("AnyBlock", bound=Block)

REUSE = "x-"
_UNSHOWN = {"api_key", "headers", "query", "extra"}
_ALLOWED = {
    "string_type": "a text",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a number",
    "date_from_datetime_parsing": "a day such as 2026-11-22",
    "date_type": "a day such as 2026-11-22",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "model_type": "a mapping (keys and values)",
    "model_attributes_type": "a mapping (keys and values)",
    "dict_type": "a mapping (keys and values)",
    "tuple_type": "a list",
    "string_too_short": "a text that is not empty",
}
_BOUNDS = {
    "greater_than": ("gt", "more than {:g}"),
    "greater_than_equal": ("ge", "{:g} or more"),
    "less_than": ("lt", "less than {:g}"),
    "less_than_equal": ("le", "{:g} or less"),
}


class ConfigError(BenchError):
    """A file that cannot be used; `problems` holds each thing that is wrong, in the order of the file."""

    def __init__(self, problems: Sequence[Problem], *, name: str, hint: str | None = None) -> None:
        unique = list(dict.fromkeys(sorted(problems, key=lambda problem: problem.mark.order)))
        lines = [str(problem) for problem in unique]
        head = [f"{len(lines)} problems in {name}"] if len(lines) > 1 else []
        super().__init__("\n".join(head + lines), hint=hint, exit_code=ExitCode.USAGE)
        self.problems = tuple(unique)


def read_text(path: Path, *, hint: str | None = None) -> str:
    """The text of a file, with its own line ends and without a byte order mark; ConfigError when there is none."""
    try:
        return path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        sentence = f"no such file{_similar_file(path)}"
        hint = hint or "check the path and its spelling"
    except OSError as error:
        sentence = f"cannot be read: {error.strerror}"
        hint = hint or "name a file that this user may read"
    except UnicodeDecodeError as error:
        sentence = f"not a UTF-8 text (byte {error.start})"
    raise ConfigError([Problem(Mark(str(path), 0), (), sentence)], name=str(path), hint=hint)


def load_block(path: Path, block: type[AnyBlock], *, needs: str, hint: str, **context: Any) -> AnyBlock:
    """The file at `path` as a `block`; ConfigError with `hint` lists all that is wrong with it."""
    document = read_yaml(read_text(path, hint=hint), name=str(path))
    found = validated(document, block, needs=needs, **context)
    if document.problems or found is None:
        raise ConfigError(document.problems, name=str(path), hint=hint)
    return found


def validated(document: Document, block: type[AnyBlock], *, needs: str, **context: Any) -> AnyBlock | None:
    """`document` as a `block`, checked with `context`; None, and more problems in the document, when it is not one.

    `needs` says what a file must have at least, for one that is no mapping. Top-level keys that begin with `x-` are
    there to be reused (`&name`, `*name`, `<<`) and mean nothing by themselves.
    """
    if isinstance(document.data, dict):
        for key in [key for key in document.data if key.startswith(REUSE)]:
            del document.data[key]
        document.written = {loc: words for loc, words in document.written.items() if not _is_reuse(loc)}
        keep_texts(document, block)
        try:
            return block.model_validate(document.data, context=context)
        except ValidationError as error:
            document.problems += problems_of(error.errors(include_url=False), document, block)
    elif not document.problems:
        what = "the file is empty" if document.data is None else "found a list or a single value"
        document.problems.append(Problem(document.marks[()], (), f"{what}; allowed: a mapping with at least {needs}"))
    return None


def _is_reuse(loc: Loc) -> bool:
    return isinstance(loc[0], str) and loc[0].startswith(REUSE) if loc else False


def problems_of(errors: Sequence[ErrorDetails], document: Document, root: type[Block]) -> list[Problem]:
    """One problem for each pydantic error, except at keys that already have one from reading the document."""
    known = {problem.loc for problem in document.problems}
    found = []
    for error in errors:
        loc = key_path(error["loc"])
        if any(loc[: len(bad)] == bad for bad in known if bad):
            continue
        place = loc[:-1] if error["type"] == "missing" else loc
        found.append(Problem(document.mark_at(place), loc, _sentence(error, loc, root)))
    return found


def key_path(loc: tuple[str | int, ...]) -> Loc:
    """pydantic's location without its own additions: union tags (`<say>`) and `[key]`."""
    return tuple(part for part in loc if not (isinstance(part, str) and (part == "[key]" or _is_tag(part))))


def _is_tag(part: str | int) -> bool:
    return isinstance(part, str) and part.startswith("<") and part.endswith(">")


def _sentence(error: ErrorDetails, loc: Loc, root: type[Block]) -> str:
    kind, context, found = error["type"], error.get("ctx", {}), _shown(error["input"], loc)
    if kind in {"sentence", "secret"}:
        return error["msg"]
    if kind == "extra_forbidden":
        keys = _keys(_block_at(root, error["loc"][:-1]))
        return f"unknown key; allowed: {', '.join(keys)}{nearest(str(loc[-1]), keys)}"
    if kind == "missing":
        return f"required, but missing{_about(_block_at(root, error['loc'][:-1]), str(loc[-1]))}"
    if kind == "literal_error":
        words = re.findall(r"'([^']*)'", str(context.get("expected", "")))
        return f"found {found}; allowed: {', '.join(words)}{nearest(str(error['input']), words)}"
    if kind in _BOUNDS:
        key, phrase = _BOUNDS[kind]
        return f"found {found}; allowed: {phrase.format(context[key])}"
    if kind in _ALLOWED:
        return f"found {found}; allowed: {_ALLOWED[kind]}{_help(kind, error['input'], loc)}"
    return f"found {found}; {error['msg'][:1].lower()}{error['msg'][1:]}"


def _help(kind: str, found: object, loc: Loc) -> str:
    if kind == "string_type" and isinstance(found, int | float):
        return " (put it in quotes)"
    if not kind.startswith(("int", "float", "finite")):
        return ""
    if str(loc[-1]).endswith("_ms"):
        return " of milliseconds, without a unit"
    if isinstance(found, str):
        return ", without quotes or a unit"
    return ""


def _shown(value: object, loc: Loc) -> str:
    """A short form of what was found."""
    if _UNSHOWN.intersection(loc) or (isinstance(value, str) and looks_like_key(value)):
        return "something else (not shown)"
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list"
    text = value if isinstance(value, str) else repr(value)
    text = text if len(text) <= 60 else text[:57] + "..."
    return f"'{text}'" if isinstance(value, str) else text


def _keys(block: type[Block] | None) -> list[str]:
    return [field.alias or name for name, field in block.model_fields.items()] if block else []


def _about(block: type[Block] | None, key: str) -> str:
    for name, field in block.model_fields.items() if block else ():
        if (field.alias or name) == key and field.description:
            example = f" (for example {field.examples[0]})" if field.examples else ""
            return f"; {field.description.rstrip('.')}{example}"
    return ""


def _block_at(root: type[Block], loc: tuple[str | int, ...]) -> type[Block] | None:
    """The class of the mapping at pydantic's `loc`, found by walking the annotations of `root`."""
    candidates: dict[str | None, type[Block]] = {None: root}
    skip = False
    for part in loc:
        if _is_tag(part):
            candidates = {None: candidates[str(part)]} if str(part) in candidates else {}
        elif skip or isinstance(part, int):
            skip = False
        else:
            block = candidates.get(None)
            field = next((f for n, f in block.model_fields.items() if (f.alias or n) == part), None) if block else None
            if field is None:
                return None
            candidates, skip = _blocks(field.annotation), get_origin(field.annotation) is dict
    return candidates.get(None)


def _blocks(annotation: Any, tag: str | None = None) -> dict[str | None, type[Block]]:
    if isinstance(annotation, type) and issubclass(annotation, Block) and get_origin(annotation) is None:
        return {tag: annotation}
    arguments = get_args(annotation)
    if get_origin(annotation) is Annotated:
        for extra in arguments[1:]:
            if hasattr(extra, "blocks"):  # kinds that are looked up when they are needed
                return dict(extra.blocks())
        tags = [extra.tag for extra in arguments[1:] if isinstance(extra, Tag)]
        return _blocks(arguments[0], tags[0] if tags else tag)
    found: dict[str | None, type[Block]] = {}
    for argument in arguments:
        found |= _blocks(argument, tag)
    return found


def _similar_file(path: Path) -> str:
    """`; did you mean ...?` for a YAML file that is not there."""
    beside = {found.stem: found for found in path.parent.glob("*.y*ml")} if path.parent.is_dir() else {}
    close = get_close_matches(path.stem, sorted(beside), n=1)
    return f"; did you mean '{beside[close[0]]}'?" if close else ""
