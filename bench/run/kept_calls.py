"""Of the recordings of all workers, those of the slowest calls of the whole run.

In: a run whose workers each kept their own slowest calls. Out: the others' files are gone.
"""

from __future__ import annotations

from bench.report.recorded_calls import recorded_calls
from bench.store.reader import Run


def keep_slowest(run: Run, most: int) -> None:
    """Delete all but the `most` recordings with the slowest replies."""
    for each in recorded_calls(run)[most:]:
        each.path.unlink(missing_ok=True)
