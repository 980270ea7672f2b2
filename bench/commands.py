"""Commands, run as anybody runs them: how long they take, and how much memory."""

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
    """What a command took, and what it printed."""

    seconds: float
    megabytes: float
    said: bytes


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
            # Not the resource usage that the system tells at the end: it begins with our own size.
            peak = max(peak, _peak(process.pid))
            with suppress(subprocess.TimeoutExpired):
                process.wait(LOOK_SECONDS)
                break
        seconds = monotonic() - began
        output.seek(0)
        said = output.read()
    if process.returncode:
        raise Mismatch(f"milepost {arguments[0]} ended with {process.returncode}: {said[:2000]!r}")
    return Cost(seconds, peak, said)


def _peak(pid: int) -> float:
    """Return the most memory that a process has had since it became the program that it is."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    found = re.search(r"^VmHWM:\s*(\d+) kB", status, re.MULTILINE)
    return int(found[1]) / 1000 if found else 0.0
