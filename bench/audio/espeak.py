"""espeak-ng, loaded once per process: it speaks (the reference server) and reads aloud in letters (the aligner).

In: nothing. Out: its C library and its rate. Trap: its state is global, and to start it twice in a process hangs, so
everything that uses it takes it from here; one call at a time.
"""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any

_RETRIEVAL = 1  # AUDIO_OUTPUT_RETRIEVAL: samples go to the callback, nothing is played


@cache
def espeak() -> tuple[Any, int]:
    """The library, started, and the rate in Hz at which it speaks. Raises `RuntimeError` where it does not start."""
    import espeakng_loader

    library = ctypes.CDLL(str(espeakng_loader.get_library_path()))
    data_path = str(espeakng_loader.get_data_path()).encode()
    rate_hz = int(library.espeak_Initialize(_RETRIEVAL, 0, data_path, 0))
    if rate_hz <= 0:
        raise RuntimeError(f"espeak-ng did not start with the data in {data_path.decode()}")
    library.espeak_TextToPhonemes.restype = ctypes.c_char_p
    return library, rate_hz
