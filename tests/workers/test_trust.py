"""Who may talk on the link of master and workers: the checks of `trust_checks.py`, in a process of their own.

Locust patches the standard library when it is imported, and pytest's own threads would not survive that.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def test_only_peers_that_know_the_token_are_heard() -> None:
    checks = Path(__file__).with_name("trust_checks.py")
    command = [sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", str(checks)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout
