"""What export costs a run, against a server whose truth is known: an exported run between two that are not.

    python -m tests.perf.export_cost --calls 200 --pairs 3 --to both

Exported, `/metrics` is scraped every second, and a collector of OpenTelemetry takes metrics and all spans. What is
printed: `tests.perf.pairs`.
"""

from __future__ import annotations

from tests.perf.pairs import Cpu, compare, parser_of  # isort: skip  Locust patches the standard library, which comes first

import io
import re
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console

from bench.calibrate.levels import CalibrateOptions, measure_level
from bench.export.asked import Address, Asked
from bench.export.feed import Exports
from bench.export.otlp.asked import Otlp
from bench.load.spec import RunSpec
from bench.load.watchers import Watcher
from bench.store.calibration import Level

COLLECTOR = """
from tests.export.receiver import receiver
import sys
with receiver() as found:
    print(found.url, flush=True)
    sys.stdin.read()
    print(len(found.metrics), len(found.spans))
"""
SCRAPER = """
import sys, time, urllib.request
count = 0
try:
    while True:
        count += bool(urllib.request.urlopen(sys.argv[1]).read())
        time.sleep(1)
except OSError:
    print(count)
"""


def process(script: str, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", script, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


class Exported:
    """Runs with an export to `to`: prometheus, otlp or both."""

    def __init__(self, to: str) -> None:
        self._to = to

    def level(self, calls: int, options: CalibrateOptions, root: Path) -> Level:
        """One run of `calls` calls at a time."""
        said, used, scrapers = io.StringIO(), [], []
        with ExitStack() as stack:
            collector = stack.enter_context(process(COLLECTOR))
            assert collector.stdout is not None
            url = collector.stdout.readline().strip()
            asked = Asked(
                prometheus=Address("127.0.0.1", 0) if self._to != "otlp" else None,
                otlp=Otlp(url) if self._to != "prometheus" else None,
            )
            with Exports(asked, Console(file=said, width=200)) as exports:

                def watched(spec: RunSpec) -> Watcher:
                    feed = exports.open(spec)
                    used.append(Cpu(feed.pid))
                    scrapers.extend(process(SCRAPER, page) for page in re.findall(r"http\S+/metrics", said.getvalue()))
                    return feed

                found = measure_level(calls, options, root, watched)
                share = used[0].share()
            scrapes = [scraper.communicate(timeout=10)[0].strip() for scraper in scrapers]
            taken = collector.communicate(timeout=10)[0].split()
        print(f"exported: its process used {share:.1%} of a core; scrapes, metrics and spans taken: {scrapes} {taken}")
        return found


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--to", choices=["prometheus", "otlp", "both"], default="both")
    given = parser.parse_args()
    compare(given, "the export", measure_level, Exported(given.to).level)


if __name__ == "__main__":
    main()
