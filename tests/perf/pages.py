"""Pages looked at in a browser: `python -m tests.perf.pages FILE... [--pictures DIR] [--all]`.

In: HTML files. Out: for each, at 390, 768 and 1440 px, light and dark: requests beyond the file system, errors in the
console, whether it is wider than the screen, and what axe-core finds (serious and critical; `--all`: everything).
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tests.support.axe import GRAVE, violations
from tests.support.browser import Page, browser

WIDTHS = (390, 768, 1440)
LOCAL = ("file:", "data:", "about:")


def beyond(page: Page) -> list[str]:
    """What was asked of a network."""
    return [url for url in page.requests if not url.startswith(LOCAL)]


def overflow(page: Page) -> int:
    """How many pixels the page is wider than the screen."""
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


def look(page: Page, file: Path, pictures: Path | None, impacts: tuple[str, ...]) -> list[str]:
    """Everything that is wrong with one file."""
    wrong = []
    for width in WIDTHS:
        for dark in (False, True):
            page.size(width, 900, dark=dark)
            page.open(file.resolve().as_uri())
            where = f"{file} at {width} px{', dark' if dark else ''}"
            wrong += [f"{where}: {each}" for each in violations(page, impacts)]
            if overflow(page) > 0:
                wrong.append(f"{where}: {overflow(page)} px wider than the screen")
            if pictures is not None:
                pictures.mkdir(parents=True, exist_ok=True)
                page.picture(pictures / f"{file.parent.name}-{file.stem}-{width}{'-dark' if dark else ''}.png")
    wrong += [f"{file}: asks for {url}" for url in beyond(page)]
    wrong += [f"{file}: console: {line}" for line in page.console]
    page.requests.clear()
    page.console.clear()
    return wrong


def main(words: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--pictures", type=Path)
    parser.add_argument("--all", action="store_true")
    asked = parser.parse_args(words)
    impacts = ("minor", "moderate", *GRAVE) if asked.all else GRAVE
    with browser() as page:
        wrong = [line for file in asked.files for line in look(page, file, asked.pictures, impacts)]
    print("\n".join(wrong) or f"{len(asked.files)} pages: nothing wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
