"""A clock that can be set, for processes that are started with it: libfaketime fakes theirs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

PLACES: Final = (
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1",
    "/usr/local/lib/faketime/libfaketime.so.1",
)
"""Where Debian's package `faketime` and `make install` put the library."""
SHOW: Final = (
    "import time; time.sleep(0.01);"
    "print(*map(time.clock_gettime, (time.CLOCK_REALTIME, time.CLOCK_MONOTONIC, {boot})))"
)
TRIED_SECONDS: Final = 5_000


class UnusableLibrary(Exception):
    """This libfaketime cannot set the clock of a server."""


class SetClock:
    """The wall clock of processes that get `env`. Their other clocks are the host's.

    The folder gets a copy of the library, which other users can read too.
    """

    def __init__(self, library: Path, folder: Path) -> None:
        folder.mkdir(mode=0o755)
        self._offset = folder / "offset"
        self.set(0)
        self.env = {
            "LD_PRELOAD": str(shutil.copy(library, folder)),
            "FAKETIME_TIMESTAMP_FILE": str(self._offset),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_DISABLE_SHM": "1",
            "NO_FAKE_STAT": "1",
        }

    def set(self, seconds: int) -> None:
        """Set the clock so many seconds ahead of the host's, or back if negative."""
        # The file is replaced at once: a process may read it at any moment.
        new = self._offset.with_suffix(".new")
        new.write_text(f"{seconds:+d}\n")
        new.chmod(0o644)
        new.replace(self._offset)

    def check(self) -> None:
        """Raise `UnusableLibrary` unless only the wall clock moves, and Python can sleep."""
        boot = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
        self.set(TRIED_SECONDS)
        shown = subprocess.run(
            [sys.executable, "-c", SHOW.format(boot=boot)],
            env={**os.environ, **self.env},
            capture_output=True,
            check=False,
            timeout=30,
        )
        self.set(0)
        if shown.returncode:
            raise UnusableLibrary(
                "With this libfaketime, Python cannot sleep: take 0.9.11 or newer. "
                "It says: " + shown.stderr.decode().strip().rpartition("\n")[2]
            )
        here = map(time.clock_gettime, (time.CLOCK_REALTIME, time.CLOCK_MONOTONIC, boot))
        ahead = [float(there) - now for there, now in zip(shown.stdout.split(), here, strict=True)]
        moved = [abs(seconds) > TRIED_SECONDS / 2 for seconds in ahead]
        if moved != [True, False, False]:
            raise UnusableLibrary(
                "This libfaketime must move the wall clock alone. It moves wall, monotonic and "
                f"boot clock by {', '.join(f'{seconds:.0f} s' for seconds in ahead)}."
            )


def library() -> Path | None:
    """Return the library where a package put it; None if there is none."""
    return next((path for path in map(Path, PLACES) if path.exists()), None)
