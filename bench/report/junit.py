"""The report as JUnit XML, so that a CI server shows the verdict beside the tests.

In: a `Summary`. Out: XML text with one test case for the verdict and one for each rate of errors and metric family.
Trap: XML allows no control characters, not even escaped; texts from outside pass through `plain`.
"""

from __future__ import annotations

from xml.etree.ElementTree import Element, SubElement, indent, tostring

from bench.measure.metrics import GROUPS
from bench.report.findings import Summary
from bench.report.phrases import headline, label, number, of, percent, plain, tail

# Verdicts of the harness or its surroundings are errors; verdicts about the target are failures.
TARGET_VERDICTS = frozenset({"no data", "failed"})


def render_junit(summary: Summary) -> str:
    """One suite named after the scenario; it fails exactly when the verdict is not "pass"."""
    suite = Element("testsuite", name=plain(summary.run.scenario_name), timestamp=summary.started_at.isoformat())
    if summary.elapsed_s is not None:
        suite.set("time", f"{summary.elapsed_s:.3f}")
    counts = {"failure": 0, "error": 0, "skipped": 0}
    verdict = summary.verdict
    case = add_case(suite, "verdict", "\n".join([*map(plain, verdict.reasons), *map(plain, verdict.warnings)]))
    if verdict.name != "pass":
        kind = "failure" if verdict.name in TARGET_VERDICTS else "error"
        SubElement(case, kind, type=verdict.name, message=plain("; ".join(verdict.reasons)))
        counts[kind] += 1
    for each in summary.thresholds:
        name = f"threshold: {each.threshold}{' (default)' if each.default else ''}"
        case = add_case(suite, plain(name), plain(each.sentence))
        if each.ok is None and each.default:
            SubElement(case, "skipped", message="no data")
            counts["skipped"] += 1
        elif not each.ok:
            kind = "no data" if each.ok is None else "threshold"
            SubElement(case, "failure", type=kind, message=plain(each.sentence)).text = plain(each.sentence)
            counts["failure"] += 1
    for rate in summary.rates:
        add_case(suite, rate.name, f"{plain(rate.title)}: {percent(rate.rate)} ({of(rate)})")
    for group, title in GROUPS.items():
        rows = [row for row in summary.metrics if row.group == group]
        said = [
            f"{label(row)}: p50 {number(row.percentiles[0].value, row.decimals)}, "
            f"{tail(row).label} {number(tail(row).value, row.decimals)} (n={row.n})"
            for row in rows
        ]
        case = add_case(suite, title, "\n".join(said) or headline(summary))
        if not any(row.n for row in rows):
            SubElement(case, "skipped", message="not measured in this run")
            counts["skipped"] += 1
    suite.set("tests", str(len(suite)))
    for kind, name in (("failure", "failures"), ("error", "errors"), ("skipped", "skipped")):
        suite.set(name, str(counts[kind]))
    indent(suite)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(suite, encoding="unicode") + "\n"


def add_case(suite: Element, name: str, said: str) -> Element:
    """A new test case that passes, with what it says."""
    case = SubElement(suite, "testcase", classname=suite.get("name") or "run", name=name)
    SubElement(case, "system-out").text = said
    return case
