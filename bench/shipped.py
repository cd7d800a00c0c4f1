"""Where the files are that come with the package: recordings, scenarios and profiles.

In: a path as it is in a checkout (`fixtures/audio/catalogue.yaml`). Out: a path that can be opened.
Trap: an installed package holds these folders inside itself (`[tool.hatch.build]` in pyproject.toml puts them there),
a checkout has them beside it; nothing else may look for them.
"""

from __future__ import annotations

from importlib import resources
from pathlib import Path

INSIDE = "_shipped"
"""The folder of an installed package that holds what lies beside it in a checkout."""


def shipped(path: str) -> Path:
    """The shipped file or folder of that name; it need not exist."""
    package = Path(str(resources.files("bench")))
    inside = package / INSIDE
    return (inside if inside.is_dir() else package.parent) / path
