"""npm's `@openai/agents-realtime`, installed into a folder for temporary files, and calls that it makes.

In: a feature and a server; out: what `node/call.mjs` saw of the call.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

NODE = Path(__file__).with_name("node")
PACKAGE = "@openai/agents-realtime"
RETRIES = ("--fetch-retries=1", "--fetch-retry-mintimeout=1000", "--fetch-retry-maxtimeout=2000")
INSTALL_S, CALL_S = 180.0, 40.0


@cache
def folder() -> Path:
    """Where the package is installed. Raises `LookupError` with the reason where it cannot be."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        raise LookupError(f"{'node' if node is None else 'npm'} is not installed")
    place = Path(tempfile.gettempdir()) / f"bench-node-clients-{os.getuid()}"
    place.mkdir(exist_ok=True)
    wanted = (NODE / "package.json").read_text()
    stale = not (place / "package.json").exists() or (place / "package.json").read_text() != wanted
    for name in ("package.json", "call.mjs"):
        shutil.copy(NODE / name, place / name)
    if stale or not (place / "node_modules" / PACKAGE).exists():
        words = [npm, "install", "--no-audit", "--no-fund", "--no-package-lock", "--loglevel=error", *RETRIES]
        try:
            done = subprocess.run(words, cwd=place, capture_output=True, text=True, timeout=INSTALL_S, check=False)
        except subprocess.TimeoutExpired:
            raise LookupError(f"npm did not install {PACKAGE} within {INSTALL_S:g} s") from None
        if done.returncode:
            (place / "package.json").unlink()
            raise LookupError(f"npm could not install {PACKAGE}: {' '.join(done.stderr.split())[:200]}")
    return place


def version() -> str:
    """The version that is installed. Raises `LookupError` where none is."""
    manifest = folder() / "node_modules" / PACKAGE / "package.json"
    return str(json.loads(manifest.read_text())["version"])


def call(feature: str, url: str, key: str, spoken: Path, cut: Path) -> dict[str, Any]:
    """What the client saw of one call."""
    words = ["node", "call.mjs", feature, url, key, str(spoken), str(cut)]
    done = subprocess.run(words, cwd=folder(), capture_output=True, text=True, timeout=CALL_S, check=False)
    assert done.stdout, done.stderr
    seen: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    assert done.returncode == 0, seen
    return seen
