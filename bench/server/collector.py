"""The garbage collector of a server process: a pause of it is a late event."""

from __future__ import annotations

import gc

THRESHOLDS = (20_000, 20, 20)  # ten thousand messages a second make few cycles


def settle_collector() -> None:
    """Once all is imported and made: what start-up made stays for good and need not be looked at again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
