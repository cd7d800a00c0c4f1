"""Writing a run's reports beside its data; `bench run` and `bench report` both end here.

In: a stored `Run`. Out: `summary.json`, `report.html`, `report.md`, `junit.xml` and `turns.csv` in its folder.
Trap: rendering never changes what was measured. Only a finished run gets its verdict entered in `run.json`; a killed
one keeps the manifest it left behind.
"""

from __future__ import annotations

from bench.report.findings import Summary
from bench.report.html import render_html
from bench.report.junit import render_junit
from bench.report.markdown import render_markdown
from bench.report.recordings import pictures_of
from bench.report.summary import summarise
from bench.store.finish import write_csv
from bench.store.folder import write_atomic
from bench.store.manifest import write_manifest
from bench.store.reader import Run, reads_spool


def write_reports(run: Run) -> Summary:
    """Render `run` into its own folder and return what was rendered; the same folder gives the same files."""
    summary = summarise(run)
    folder = run.folder
    if run.manifest.state == "finished":
        _enter_verdict(run, summary)
    if run.manifest.state == "running" or not folder.turns_csv.exists():
        write_csv(folder, from_spool=reads_spool(folder, run.manifest))
    write_atomic(folder.summary_json, summary.model_dump_json(indent=2) + "\n")
    write_atomic(folder.report_md, render_markdown(summary))
    write_atomic(folder.report_html, render_html(summary, pictures_of(folder.root)))
    write_atomic(folder.junit_xml, render_junit(summary))
    return summary


def _enter_verdict(run: Run, summary: Summary) -> None:
    manifest, verdict = run.manifest, summary.verdict
    if (manifest.verdict, manifest.exit_code, manifest.reasons) != (verdict.name, verdict.exit_code, verdict.reasons):
        manifest.verdict, manifest.exit_code, manifest.reasons = verdict.name, verdict.exit_code, verdict.reasons
        write_manifest(run.folder, manifest)
