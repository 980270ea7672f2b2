"""The reporter runs on Python 3.8, which runners and machines may still have."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.clients.reporter.program import FILE


def test_it_needs_nothing_that_python_3_8_lacks() -> None:
    done = subprocess.run(
        [
            Path(sys.executable).with_name("vermin"),
            "--no-tips",
            "--violations",
            "-t=3.8-",
            str(FILE),
        ],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout
    assert "Minimum required versions: 3.8" in done.stdout
