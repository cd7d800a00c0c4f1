"""The files of a comparison: `compare.json`, `compare.md` and `compare.html` in a folder."""

from __future__ import annotations

from pathlib import Path

from bench.errors import BenchError
from bench.report.compare.findings import Comparison
from bench.report.compare.html import render_html
from bench.report.compare.text import render_markdown
from bench.store.folder import write_atomic


def write_comparison(found: Comparison, out: Path) -> list[Path]:
    """Write all of them into `out`, which is made; the files written. Raises `BenchError` where that cannot be."""
    files = {
        "compare.json": found.model_dump_json(indent=2) + "\n",
        "compare.md": render_markdown(found),
        "compare.html": render_html(found),
    }
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            write_atomic(out / name, text)
    except OSError as error:
        raise BenchError(
            f"{out}: cannot be written ({error.strerror})", hint="name a folder you may write with --out"
        ) from error
    return [out / name for name in files]
