"""The accessibility check of axe-core on a page that is open in a browser.

In: a `Page`. Out: what axe found of the wanted gravity. axe-core comes from npm, once, into a folder of its own; where
npm or its registry cannot be had, `axe_source` says why instead.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.support.browser import Page

PACKAGE = "axe-core@4"
GRAVE = ("serious", "critical")


@dataclass(frozen=True, slots=True)
class Violation:
    """One rule that a page breaks, and where first."""

    rule: str
    impact: str
    help: str
    places: int
    first: str

    def __str__(self) -> str:
        return f"{self.impact}: {self.rule} ({self.help}), {self.places} places, such as {self.first}"


@cache
def axe_source() -> str:
    """The text of axe, from `AXE_CORE` (a file) or npm. Raises `LookupError` with the reason where there is none."""
    given = os.environ.get("AXE_CORE")
    if given:
        return Path(given).read_text(encoding="utf-8")
    npm = shutil.which("npm")
    if npm is None:
        raise LookupError("npm is missing, which axe-core comes from; or set AXE_CORE to its axe.min.js")
    folder = Path(tempfile.gettempdir()) / f"bench-axe-core-{os.getuid()}"
    file = folder / "node_modules" / "axe-core" / "axe.min.js"
    if not file.exists():
        folder.mkdir(exist_ok=True)
        words = [npm, "install", "--no-audit", "--no-fund", "--prefix", str(folder), PACKAGE]
        done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)
        if done.returncode or not file.exists():
            raise LookupError(f"npm could not install {PACKAGE}: {done.stderr.strip()[-200:]}")
    return file.read_text(encoding="utf-8")


def violations(page: Page, impacts: tuple[str, ...] = GRAVE) -> list[Violation]:
    """What axe finds on the open page."""
    if not page.evaluate("typeof axe === 'object'"):
        page.evaluate(f"{axe_source()};0")
    found = page.evaluate("axe.run(document, {preload: false, resultTypes: ['violations']}).then(r => r.violations)")
    return [
        Violation(each["id"], each["impact"], each["help"], len(each["nodes"]), each["nodes"][0]["html"][:160])
        for each in found
        if each["impact"] in impacts
    ]
