"""Nothing outside of the dialects, the server and the price books knows a dialect by its name.

Looked for in the source: imports of one dialect's module, in every form; a name as a whole string; a name that could be
nothing else (`gemini-live`) within any string that is not a docstring, or what such names begin with as a whole string.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import bench.dialects
from bench.dialects import DEFAULT_DIALECT, dialect_names
from bench.server.protocol.shapes import HTTP

BENCH = Path(__file__).parents[2] / "bench"
MAY_KNOW = ("dialects/", "server/", "pricing/")
NAMES = {*dialect_names(), HTTP}
LONG = sorted((name for name in NAMES if "-" in name), key=len, reverse=True)
WITHIN = re.compile(rf"(?<![\w-])({'|'.join(map(re.escape, LONG))})(?![\w-])")
BEGINNINGS = {name[: place.start() + extra] for name in LONG for place in re.finditer("-", name) for extra in (0, 1)}
MODULES = {path.stem for path in Path(bench.dialects.__file__).parent.glob("*.py")}
SHARED = {"__init__", "dialect", "session_config", "session_renewal", "tools"}
"""Modules of `bench.dialects` that speak for all of them."""
EXCEPTED = {
    ("store/older.py", "openai_fields"),  # format 1 of stored calls knew one dialect, whose errors it classes
    ("cli_serve.py", DEFAULT_DIALECT),  # what `bench serve` speaks when it is not told
    ("scenario/target.py", DEFAULT_DIALECT),  # an example of a key, and of a label
}


def known_by(source: str) -> Iterator[str]:
    """The dialects, or modules of them, that a Python file knows."""
    tree = ast.parse(source)
    told = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in told:
            yield from _named_in(node.value)
        elif isinstance(node, ast.Import):
            yield from (found for each in node.names for found in _module_in(each.name))
        elif isinstance(node, ast.ImportFrom):
            origin = node.module or ""
            yield from _module_in(origin)
            yield from (found for each in node.names for found in _module_in(f"{origin}.{each.name}"))


def _named_in(text: str) -> Iterator[str]:
    if text in NAMES | BEGINNINGS:
        yield text
    yield from WITHIN.findall(text)
    yield from _module_in(text.partition(":")[0])


def _module_in(dotted: str) -> Iterator[str]:
    """Of a relative import, whatever is called like a dialect's module: nothing else in this package is."""
    before, found, rest = dotted.rpartition("dialects.")
    module = rest.partition(".")[0]
    if found and not before.endswith(tuple("abcdefghijklmnopqrstuvwxyz_")) and module in MODULES - SHARED:
        yield module


def test_no_dialect_is_named_elsewhere() -> None:
    found = set()
    for path in BENCH.rglob("*.py"):
        place = path.relative_to(BENCH).as_posix()
        if not place.startswith(MAY_KNOW):
            found |= {(place, name) for name in known_by(path.read_text())}
    assert found == EXCEPTED, found ^ EXCEPTED


def test_no_page_or_file_of_data_names_one_elsewhere() -> None:
    places = [path for path in BENCH.rglob("*") if path.suffix in {".j2", ".js", ".css", ".html", ".yaml", ".json"}]
    assert len(places) > 5
    for path in places:
        if not path.relative_to(BENCH).as_posix().startswith(MAY_KNOW):
            assert not WITHIN.search(path.read_text()), path


@pytest.mark.parametrize(
    "source",
    [
        'x = "openai"',
        'x == "xai"',
        'raise E(f"use dialect: gemini-live or {other}")',
        'name.startswith("openai-")',
        'name.split("-")[0] == "twilio"',
        'match name:\n    case "qwen-omni":\n        pass',
        "from bench.dialects.openai import OpenAIDialect",
        "from bench.dialects import gemini_live",
        "from .dialects import gemini_live",
        "from ..dialects.xai import XaiDialect",
        "import bench.dialects.openai_beta",
        "import bench.dialects.openai_beta as spoken",
        'import_module("bench.dialects.openai_live")',
        'found = "bench.dialects.xai:XaiDialect"',
        'serve("openai-http")',
    ],
)
def test_what_knows_a_dialect_is_found(source: str) -> None:
    assert list(known_by(source))


@pytest.mark.parametrize(
    "source",
    [
        '"""Docstrings may speak of gemini-live."""',
        "# a comment on gemini-live",
        "from bench.dialects import dialect_of",
        "from bench.dialects.dialect import Dialect",
        "import bench.dialects.tools",
        'where = "https://api.openai.com/v1"',
        'key = "env:OPENAI_API_KEY"',
        'book = "openai-2026-11"',
    ],
)
def test_what_does_not_is_not(source: str) -> None:
    assert not list(known_by(source))
