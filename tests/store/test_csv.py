"""`turns.csv` in a spreadsheet and in pandas: no text is computed, numbers stay numbers, any language is read."""

from __future__ import annotations

import codecs
from collections.abc import Callable

import pandas as pd
import pytest

from bench.measure.records import SessionRecord, TurnRecord
from bench.store.finish import finish_run
from bench.store.folder import RunFolder
from bench.store.manifest import Manifest
from tests.store.test_run_files import spooled


@pytest.mark.parametrize(
    ("said", "written"),
    [
        ("=1+1", "'=1+1"),
        ("+49 30 1234", "'+49 30 1234"),
        ("-5 degrees", "'-5 degrees"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\tx", "'\tx"),
        ("\rx", "'\rx"),
        ("\n=x", "'\n=x"),
        ("＝1", "'＝1"),
        ("a=b", "a=b"),
        ("two - three", "two - three"),
        ("'quoted'", "'quoted'"),
        ("grün, 你好 🙂", "grün, 你好 🙂"),
    ],
)
def test_no_text_is_a_formula(
    said: str,
    written: str,
    folder: RunFolder,
    manifest: Manifest,
    turn: Callable[..., TurnRecord],
    session: Callable[..., SessionRecord],
) -> None:
    rows = [turn(0, hypothesis=said, first_audible_ms=-12.5), turn(1, hypothesis=None)]
    spooled(folder, manifest, rows, [session()])
    run = finish_run(folder, manifest)
    assert run.turns["hypothesis"][0] == said
    data = folder.turns_csv.read_bytes()
    assert data.startswith(codecs.BOM_UTF8)
    assert f'"{written}"'.encode() in data
    table = pd.read_csv(folder.turns_csv)
    assert table.columns[0] == "run_id"
    assert table["first_audible_ms"].tolist()[0] == -12.5
    assert table["hypothesis"].isna().tolist() == [False, True]
