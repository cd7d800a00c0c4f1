"""The matrix of stock clients: whole, of tests that there are, and on its page with the versions that are pinned."""

from __future__ import annotations

import ast
import json
import re
from functools import cache

import pytest

from tests.clients import npm
from tests.clients.matrix import BEGIN, CLIENTS, END, FEATURES, NO, PAGE, ROOT, Outcomes, into_page, table


@cache
def names_in(file: str) -> set[str]:
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)
def test_each_cell_has_a_test_or_a_cause(client: object) -> None:
    cells = client.cells  # type: ignore[attr-defined]
    assert tuple(cells) == FEATURES
    for cell in cells.values():
        assert cell.test or cell.note
        if cell.test is not None:
            file, _, name = cell.test.partition("::")
            assert name.partition("[")[0] in names_in(file)


def pinned(package: str) -> str:
    if package == npm.PACKAGE:
        return str(json.loads((npm.NODE / "package.json").read_text())["dependencies"][package])
    pins = (ROOT / "constraints-clients.txt").read_text()
    found = re.search(rf"^{re.escape(package)}==(\S+)", pins, re.MULTILINE)
    assert found is not None, package
    return found[1]


def test_the_page_holds_each_client_with_its_pinned_version_and_each_cause() -> None:
    page = PAGE.read_text(encoding="utf-8")
    shown = page.partition(BEGIN)[2].partition(END)[0]
    for client in CLIENTS:
        (row,) = (line for line in shown.splitlines() if line.startswith(f"| {client.name} |"))
        _, _, version, *cells, _ = (word.strip() for word in row.split("|"))
        assert version == pinned(client.package)
        assert [cell.startswith(NO) for cell in cells] == [client.cells[each].test is None for each in FEATURES]
        for cell in client.cells.values():
            assert cell.note is None or cell.note in shown
    assert "FAILED" not in shown


def test_a_table_says_what_became_of_each_test() -> None:
    outcomes = Outcomes()
    outcomes.of = {"a.py::test_one[0]": ["passed"], "a.py::test_one[1]": ["failed"], "a.py::test_two": ["passed"]}
    outcomes.of |= {"b.py": ["skipped"]}
    outcomes.skipped = {"b.py": "needs the extra 'clients'"}
    assert outcomes.said("a.py::test_one") == ("FAILED", None)
    assert outcomes.said("a.py::test_one[0]") == ("yes", None)
    assert outcomes.said("a.py::test_two") == ("yes", None)
    assert outcomes.said("b.py::test_three") == ("-", "needs the extra 'clients'")
    assert outcomes.said("c.py::test_four") == ("-", "not run")
    made = table(lambda _: ("-", "npm is missing"), lambda _: None)
    assert made.count("\n1. ") == 1
    assert "npm is missing" in made
    assert into_page(f"a {BEGIN} old {END} b", "new") == f"a {BEGIN}\n\nnew\n\n{END} b"


def test_a_machine_without_node_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(npm.shutil, "which", lambda name: None)
    with pytest.raises(LookupError, match="node is not installed"):
        npm.folder.__wrapped__()
