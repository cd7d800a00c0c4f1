"""Who may import whom: a room imports only from rooms on floors below its own, and no file is part of a circle."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "bench"

FLOORS: tuple[tuple[str, ...], ...] = (
    ("errors", "priority", "timerfd", "shipped", "terminal"),
    ("facts",),
    ("config",),
    ("audio",),
    ("transport", "dialects", "pricing"),
    ("measure",),
    ("scenario",),
    ("session",),
    ("store",),
    ("load", "report", "server"),
    ("workers", "quality", "site"),
    ("run",),
    ("calibrate", "live"),
    ("export",),
    (
        *("cli_compare", "cli_cost", "cli_events", "cli_export", "cli_fixtures", "cli_live"),
        *("cli_options", "cli_quality", "cli_report", "cli_serve", "cli_site"),
    ),
    ("cli_calibrate", "cli_gate", "cli_history", "cli_run", "cli_scenario"),
    ("cli",),
    ("__main__",),
)
"""From the ground up. Rooms on one floor do not know each other."""

NEVER = {
    ("server", "session"),
    ("server", "measure"),
    ("session", "pricing"),
    ("session", "measure"),
    ("report", "session"),
}
"""Imports that would go down and are still wrong: the reference server must not share what it is there to judge, and
a call that is played must not know how it is measured."""

FLOOR_OF = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}


def _modules() -> dict[str, Path]:
    found = {}
    for path in PACKAGE.rglob("*.py"):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(source: str) -> Iterator[str]:
    """Every module of the package that `source` imports, also inside functions and for type checking."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{name.name}" for name in node.names)


def room_of(module: str) -> str | None:
    """`bench.audio.wav` -> `audio`; None for the package itself."""
    return module.split(".")[1] if "." in module else None


def wrong_arrows(module: str, source: str) -> list[str]:
    """Imports of `module` that do not go down."""
    here = room_of(module)
    wrong = []
    for name in imports(source):
        there = room_of(name) if name.startswith("bench.") else None
        if there is None or there == here or there not in FLOOR_OF or here is None:
            continue
        if FLOOR_OF[there] >= FLOOR_OF[here] or (here, there) in NEVER:
            wrong.append(f"{module} -> {name}")
    return wrong


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Groups of modules that import one another in a circle (Tarjan's strongly connected components)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found = []

    def visit(node: str) -> None:
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in sorted(graph[node]):
            if other not in index:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], index[other])
        if low[node] == index[node]:
            group = []
            while not group or group[-1] != node:
                group.append(stack.pop())
            if len(group) > 1:
                found.append(sorted(group))

    for node in sorted(graph):
        if node not in index:
            visit(node)
    return found


def test_every_room_has_a_floor() -> None:
    rooms = {room_of(module) for module in _modules()} - {None}
    assert rooms == set(FLOOR_OF)


def test_imports_go_down() -> None:
    wrong = [arrow for module, path in _modules().items() for arrow in wrong_arrows(module, path.read_text("utf-8"))]
    assert wrong == []


def test_no_file_is_part_of_a_circle() -> None:
    modules = _modules()
    graph = {
        module: {name for name in imports(path.read_text("utf-8")) if name in modules and name != module}
        for module, path in modules.items()
    }
    # A package's own `__init__` names its parts; a part that imports a sibling does not thereby import the package.
    graph = {module: {name for name in names if not module.startswith(f"{name}.")} for module, names in graph.items()}
    assert circles(graph) == []


@pytest.mark.parametrize(
    ("module", "source", "wrong"),
    [
        ("bench.audio.wav", "from bench.facts.signals import Usage", 0),
        ("bench.facts.signals", "from bench.audio import wav", 1),
        ("bench.facts.signals", "def later():\n    import bench.cli", 1),
        ("bench.session.call", "from bench.measure.turns import measure_turn", 1),
        ("bench.server.handler", "from bench.session import call", 1),
        ("bench.server.handler", "from bench.audio import wav", 0),
        ("bench.measure.turns", "from bench import __version__", 0),
    ],
)
def test_an_arrow_that_runs_up_is_found(module: str, source: str, wrong: int) -> None:
    assert bool(wrong_arrows(module, source)) == bool(wrong)


def test_a_circle_is_found() -> None:
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == [["a", "b", "c"]]
