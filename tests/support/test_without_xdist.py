"""The tests can run in one process, without the plugin that deals them to several."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_pytest_starts_without_xdist() -> None:
    """A hook that only xdist knows is an internal error of a pytest without it."""
    one_file = "tests/support/test_dealing.py"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:xdist", "-p", "no:cacheprovider", one_file],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert done.returncode == 0, done.stdout + done.stderr
