"""Commands as a user runs them: their duration and their peak memory."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryFile
from time import monotonic
from typing import NamedTuple

from bench.contenders import Mismatch
from bench.stage import ADMIN_TOKEN, ROOT, SECRET

LOOK_SECONDS = 0.05


class Cost(NamedTuple):
    """The cost of a command, and its output."""

    seconds: float
    megabytes: float
    output: bytes


def milepost(home: Path, database: str, *arguments: str) -> Cost:
    """Run a command; raise `Mismatch` if it fails."""
    settings = {
        "PYTHONPATH": str(ROOT),
        "MILEPOST_HOME": str(home),
        "MILEPOST_DATABASE_URL": database,
        "MILEPOST_CALLBACK_SECRET": SECRET,
        "MILEPOST_ADMIN_TOKEN": ADMIN_TOKEN,
    }
    command = [str(Path(sys.executable).with_name("milepost")), *arguments]
    began, peak = monotonic(), 0.0
    with TemporaryFile() as output:
        process = subprocess.Popen(
            command, env={**os.environ, **settings}, stdout=output, stderr=subprocess.DEVNULL
        )
        while True:
            # The system's resource usage of a child would begin with the size of this process.
            peak = max(peak, _peak(process.pid))
            with suppress(subprocess.TimeoutExpired):
                process.wait(LOOK_SECONDS)
                break
        seconds = monotonic() - began
        output.seek(0)
        printed = output.read()
    if process.returncode:
        raise Mismatch(
            f"milepost {arguments[0]} ended with {process.returncode}: {printed[:2000]!r}"
        )
    return Cost(seconds, peak, printed)


def _peak(pid: int) -> float:
    """Return a process's peak memory since it began to run its program, in megabytes."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    matched = re.search(r"^VmHWM:\s*(\d+) kB", status, re.MULTILINE)
    return int(matched[1]) / 1000 if matched else 0.0
