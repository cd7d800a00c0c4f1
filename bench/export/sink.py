"""Where an exporter puts what it has: the interface.

In: all series as they are now, and the rows that are new. Out: whatever the sink makes of them.
"""

from __future__ import annotations

from collections.abc import Sequence

from bench.export.family import Series
from bench.store.manifest import Manifest
from bench.store.reader import Run


class Sink:
    """Takes what there is."""

    name = "export"

    def show(self, manifest: Manifest, series: Sequence[Series], new: Run | None, *, last: bool) -> None:
        """All series, and the rows that are new. `last`: this is how the run ended, and `new` are all its rows."""

    def close(self) -> None:
        """Nothing more comes."""
