"""What the live page costs a run, against a server whose truth is known: a run with the page between two without.

    python -m tests.perf.live_cost --calls 200 --pairs 3

With the page, a reader takes its events all the time, as a browser does. What is printed: `tests.perf.pairs`.
"""

from __future__ import annotations

from tests.perf.pairs import Cpu, compare, parser_of  # isort: skip  Locust patches the standard library, which comes first

import contextlib
import io
import subprocess
import sys
from pathlib import Path

from rich.console import Console

from bench.calibrate.levels import CalibrateOptions, measure_level
from bench.live.address import LiveAddress
from bench.live.feed import LivePage
from bench.load.spec import RunSpec
from bench.load.watchers import Watcher
from bench.store.calibration import Level

READER = "import sys, urllib.request as u\nfor line in u.urlopen(sys.argv[1]): pass"


def with_page(calls: int, options: CalibrateOptions, root: Path) -> Level:
    """One run of `calls` calls at a time."""
    readers: list[subprocess.Popen[bytes]] = []
    served: list[Cpu] = []
    with LivePage(LiveAddress(port=0), Console(file=io.StringIO())) as page:

        def watched(spec: RunSpec) -> Watcher:
            feed = page.open(spec)
            served.append(Cpu(feed.pid))
            url = feed.url.replace("/?", "/events?")
            readers.append(subprocess.Popen([sys.executable, "-c", READER, url]))
            return feed

        found = measure_level(calls, options, root, watched)
        share = served[0].share()
    for reader in readers:
        with contextlib.suppress(subprocess.TimeoutExpired):
            reader.wait(10)
        reader.kill()
    print(f"with the page: its process used {share:.1%} of a core, from the first call to the end of the run")
    return found


if __name__ == "__main__":
    compare(parser_of(__doc__).parse_args(), "the page", measure_level, with_page)
