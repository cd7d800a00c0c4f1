"""A catalogue of synthetic speech whose end is known to the sample, and the scenario that speaks it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import yaml

RATE = 24_000


def noise_burst(lead_ms: int, speech_ms: int, tail_ms: int, seed: int = 1) -> np.ndarray:
    """Silence, loud noise that stops at an exact sample, silence."""
    noise = np.random.default_rng(seed).normal(0, 6000, RATE * speech_ms // 1000).clip(-20_000, 20_000)
    noise[-1] = 9_000
    parts = [np.zeros(RATE * lead_ms // 1000), noise, np.zeros(RATE * tail_ms // 1000)]
    return np.concatenate(parts).astype(np.int16)


def two_turns(folder: Path) -> dict[str, Any]:
    """A two-turn scenario over a catalogue in `folder` that leaves every measurement to the loader."""
    entries = []
    for place, length_ms in enumerate((1200, 910)):
        name = f"burst-{place}"
        soundfile.write(folder / f"{name}.wav", noise_burst(200, length_ms, 330, place), RATE, subtype="PCM_16")
        entries.append({"id": name, "file": f"{name}.wav", "text": "Hello, there!"})
    (folder / "catalogue.yaml").write_text(yaml.safe_dump({"fixtures": entries}))
    return {
        "name": "truth",
        "target": {"url": "ws://127.0.0.1:9/v1/realtime", "model": "truth"},
        "fixtures": "catalogue.yaml",
        "conversation": [{"say": "burst-0"}, {"pause": "200ms"}, {"say": "burst-1"}],
        "load": {"callers": 2, "sessions": 2},
        # Tests run four at a time: lateness of a crowded machine is not what they are about.
        "health": {"client_late": "10s"},
        "timeouts": {"connect": "2s", "ready": "2s", "reply": "3s", "transcription": "1s"},
    }
