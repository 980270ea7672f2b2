"""The reporter as a workflow runs it: a program with an environment and a home of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

FILE: Final = Path(__file__).parents[3] / "clients" / "reporter" / "milepost_report.py"
PATIENT: Final = {"MILEPOST_WAIT": "25"}
"""A busy machine must not fail a test: such a call returns once all is sent."""
USUAL: Final = {"MILEPOST_WAIT": ""}
"""A call that takes a second at most."""
WAITS: Final = b"it waits on disk; the next call or flush sends it\n"
"""The end of the line about a callback that was not taken."""
PATIENCE_SECONDS: Final = 30
"""How long a call may take before it counts as hung; it should take one second."""


def until(condition: Callable[[], Any], complaint: str) -> None:
    """Wait for a condition; fail if it does not come."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, complaint
        time.sleep(0.01)  # something else is waited for, up to the deadline


class Program:
    """Runs the reporter with these settings."""

    def __init__(self, home: Path, url: str, key: str, python: str = sys.executable) -> None:
        self.python = python
        self.home = home
        self.env = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "MILEPOST_CALLBACK_URL": url,
            "MILEPOST_CALLBACK_KEY": key,
            **PATIENT,
        }

    def argv(self, *arguments: str) -> list[str]:
        """Return the command line of a call."""
        return [self.python, str(FILE), *arguments]

    def __call__(self, *arguments: str, **env: str) -> subprocess.CompletedProcess[bytes]:
        """Call it and wait; fail if it hangs."""
        return self.ended(self.argv(*arguments), **env)

    def ended(self, argv: Sequence[str], **env: str) -> subprocess.CompletedProcess[bytes]:
        """Run any command with its environment."""
        return subprocess.run(
            argv,
            env={**self.env, **env},
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=PATIENCE_SECONDS,
            check=False,
        )

    def begun(self, *arguments: str, **options: Any) -> subprocess.Popen[bytes]:
        """Call it and do not wait."""
        return subprocess.Popen(self.argv(*arguments), env=self.env, **options)

    def flush(self) -> int:
        """Send what waits, and return the exit status: 0 if nothing waits any more."""
        return self("flush", "--strict", "--wait", "25").returncode

    def waiting(self) -> list[Path]:
        """Return the files of what waits to be sent."""
        spool = self.home / ".local" / "state" / "milepost-report"
        return sorted(path for path in spool.glob("*/*") if path.is_file())
