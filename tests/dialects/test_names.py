"""Nothing outside of the dialects, the server and the price books knows a dialect by its name."""

from __future__ import annotations

import ast
from pathlib import Path

from bench.dialects import DEFAULT_DIALECT, dialect_names

BENCH = Path(__file__).parents[2] / "bench"
MAY_KNOW = ("dialects", "server", "pricing")
SHARED = {"", "dialect", "session_config", "session_renewal", "tools"}
"""Modules of `bench.dialects` that speak for all of them."""
EXCEPTED = {
    ("store/older.py", "openai_fields"),  # format 1 of stored calls knew one dialect, whose errors it classes
    ("cli.py", DEFAULT_DIALECT),  # what `bench serve` speaks when it is not told
    ("scenario/target.py", DEFAULT_DIALECT),  # an example of a key, and of a label
}


def test_no_dialect_is_named_elsewhere() -> None:
    names = set(dialect_names())
    found = set()
    for path in BENCH.rglob("*.py"):
        place = path.relative_to(BENCH).as_posix()
        if place.startswith(MAY_KNOW):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and node.value in names:
                found.add((place, node.value))
            elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("bench.dialects"):
                module = (node.module or "").removeprefix("bench.dialects").removeprefix(".")
                if module not in SHARED:
                    found.add((place, module))
    assert found <= EXCEPTED, found - EXCEPTED
