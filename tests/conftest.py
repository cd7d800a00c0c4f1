"""What holds for every test: machines are shared and noisy, so no example of a property is timed."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
