"""Writing a run's reports beside its data; `bench run` and `bench report` both end here.

In: a stored `Run`. Out: `summary.json`, `report.html`, `report.md`, `junit.xml` and `turns.csv` in its folder or in
another. Trap: rendering never changes what was measured. Only a finished run gets its verdict entered in `run.json`; a
killed one keeps the manifest it left behind.
"""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote

from bench.errors import BenchError, ExitCode
from bench.report.findings import Summary
from bench.report.html import render_html
from bench.report.junit import render_junit
from bench.report.markdown import render_markdown
from bench.report.recordings import pictures_of
from bench.report.reprice import Repriced
from bench.report.step_summary import render_step_summary
from bench.report.summary import summarise
from bench.store.finish import write_csv, write_frame_csv
from bench.store.folder import RunFolder, write_atomic
from bench.store.manifest import write_manifest
from bench.store.reader import Run, reads_spool
from bench.store.reserve import release_reserve


class UnwrittenReportError(BenchError):
    """The rows of a run are safe and its report could not be written, such as on a full disk."""

    def __init__(self, folder: Path, summary: Summary, error: OSError, out: Path | None = None) -> None:
        """`out`: where it was asked to be written, if not into the run's own folder."""
        why = error.strerror or str(error)
        super().__init__(
            f"{error.filename or folder}: the report could not be written ({why}); the rows are in {folder}",
            hint=f"write it elsewhere with: bench report {folder} --out DIR; or free some space and leave out --out",
            exit_code=ExitCode.INCOMPLETE if out is None else ExitCode.USAGE,
        )
        self.folder = folder
        self.summary = summary


def write_reports(run: Run, *, out: Path | None = None, again: Repriced | None = None) -> Summary:
    """Render `run` into its own folder, or into `out`, and return what was rendered.

    `again` is the run at other prices, which is rendered in its place and never into the run's own files. The same
    folder gives the same files. Raises `UnwrittenReportError` when a file cannot be written.
    """
    summary = summarise(run) if again is None else summarise(again.run, again)
    if again is not None:
        run, out = again.run, out or again.folder
    try:
        if out is None:
            _enter_verdict(run, summary)
        _write(run, summary, run.folder if out is None else RunFolder(out), priced_again=again is not None)
    except OSError as error:
        raise UnwrittenReportError(run.folder.root, summary, error, out) from error
    return summary


def _write(run: Run, summary: Summary, into: RunFolder, *, priced_again: bool) -> None:
    into.root.mkdir(parents=True, exist_ok=True)
    # Small and important first: on a disk that is nearly full, the last ones may not fit.
    write_atomic(into.summary_json, summary.model_dump_json(indent=2) + "\n")
    write_atomic(into.report_md, render_markdown(summary))
    write_atomic(into.junit_xml, render_junit(summary))
    write_atomic(into.step_summary_md, render_step_summary(summary))
    write_atomic(into.report_html, render_html(summary, pictures_of(run.folder.root), _way(into, run.folder)))
    if priced_again:
        write_frame_csv(run.turns, into.turns_csv)
    elif into is not run.folder or run.manifest.state == "running" or not into.turns_csv.exists():
        write_csv(run.folder, from_spool=reads_spool(run.folder, run.manifest), into=into.turns_csv)


def _way(page: RunFolder, run: RunFolder) -> str:
    """The path from the folder of a page to that of the run, as an address; empty where they are one."""
    way = Path(os.path.relpath(run.root.resolve(), page.root.resolve())).as_posix()
    return "" if way == "." else f"{quote(way)}/"


def _enter_verdict(run: Run, summary: Summary) -> None:
    manifest, verdict = run.manifest, summary.verdict
    if manifest.state == "running":
        # What a killed run set aside for its end is for its report now.
        release_reserve(run.folder)
        return
    if (manifest.verdict, manifest.exit_code, manifest.reasons) != (verdict.name, verdict.exit_code, verdict.reasons):
        manifest.verdict, manifest.exit_code, manifest.reasons = verdict.name, verdict.exit_code, verdict.reasons
        write_manifest(run.folder, manifest)
