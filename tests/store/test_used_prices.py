"""The books that a run says it was priced with: those of models that were asked for, or else of those that answered."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bench.measure.records import SessionRecord, TurnRecord
from bench.store.finish import finish_run
from bench.store.folder import RunFolder
from bench.store.manifest import CalledTarget, Manifest, write_manifest
from bench.store.spool import SpoolWriter


@pytest.mark.parametrize(
    "asked, served, books, example",
    [
        (None, "simulated", ["example-embedded"], [True]),
        (None, "gpt-realtime-mini", ["openai-2026-11"], [False]),
        ("gpt-realtime-mini", "simulated", [], []),  # that book is named before the run
        ("my-deployment", "gpt-realtime-mini", ["openai-2026-11"], [False]),
        (None, "a-model-of-nobody", [], []),
        (None, None, [], []),
    ],
)
def test_where_the_server_names_the_model(
    folder: RunFolder,
    manifest: Manifest,
    turn: Callable[..., TurnRecord],
    session: Callable[..., SessionRecord],
    asked: str | None,
    served: str | None,
    books: list[str],
    example: list[bool],
) -> None:
    manifest.targets = [CalledTarget(name="here", url="ws://127.0.0.1/v1/realtime", model=asked, dialect="openai")]
    write_manifest(folder, manifest)
    with SpoolWriter(folder, "w0") as spool:
        spool.turn(turn(0, target="here"))
        spool.session(session(target="here", server_model=served))
    used = finish_run(folder, manifest).manifest.price_books
    assert [book.name for book in used] == books
    assert [book.example for book in used] == example
