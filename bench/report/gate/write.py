"""The files of the gate: `gate.json`, `gate.md`, `gate.html` and `gate-junit.xml`, in the run's folder or another."""

from __future__ import annotations

from pathlib import Path

from bench.errors import BenchError
from bench.report.gate.findings import GateReport
from bench.report.gate.html import render_html
from bench.report.gate.text import render_junit, render_markdown
from bench.report.gate.window import GATE_JSON
from bench.store.folder import write_atomic


def write_gate(report: GateReport, out: Path) -> list[Path]:
    """Write all of them into `out`, which is made; the files written. Raises `BenchError` where that cannot be."""
    files = {
        GATE_JSON: report.model_dump_json(indent=2) + "\n",
        "gate.md": render_markdown(report),
        "gate.html": render_html(report),
        "gate-junit.xml": render_junit(report),
    }
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            write_atomic(out / name, text)
    except OSError as error:
        hint = "name a folder you may write with --out"
        raise BenchError(f"{out}: cannot be written ({error.strerror})", hint=hint) from error
    return [out / name for name in files]
