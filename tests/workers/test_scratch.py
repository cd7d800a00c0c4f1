"""Folders of workers that were killed are swept; those of living ones, of others and of no worker stay."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from bench.workers.scratch import sweep


def test_only_what_a_dead_worker_left_is_swept(tmp_path: Path) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    kept = [
        tmp_path / f"bench-worker-{os.getpid()}-abc",
        tmp_path / "bench-worker-abc",
        tmp_path / f"other-{dead.pid}-abc",
    ]
    left = tmp_path / f"bench-worker-{dead.pid}-abc"
    for folder in (*kept, left):
        folder.mkdir()
        (folder / "0000.wav").write_bytes(b"audio")
    (tmp_path / f"bench-worker-{dead.pid}-link").symlink_to(kept[0])
    sweep(tmp_path)
    assert not left.exists()
    assert all((folder / "0000.wav").exists() for folder in kept)
