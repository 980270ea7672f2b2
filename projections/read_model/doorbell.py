"""The doorbell: a process that committed wakes the projector where the database cannot do it.

The bell is the file of the projector's lock. To ring is to open it for writing and to close it
again; the kernel (inotify) tells the listener. Nothing is written, and the file is an empty one
like any other. So who copies the folder is not held up, as by a named pipe. A lost ring only costs
time: an idle projector also reads the log by itself, at least once a second.
"""

from __future__ import annotations

import os
import select
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from projections.read_model.inotify import closings_after_writing
from projections.read_model.interruption import Interruption

LOOK_SECONDS = 0.25
"""The seconds that a listener sleeps where the kernel does not tell it."""


class Doorbell:
    """The bell at this path. Any thread of any process that may write the file may ring it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def ring(self) -> None:
        """Wake the listener, in any process, without waiting; without the file, do nothing."""
        # A link may lead to a file that others watch. A named pipe without a reader would block.
        with suppress(OSError):
            os.close(os.open(self._path, os.O_WRONLY | os.O_NOFOLLOW | os.O_NONBLOCK))

    @contextmanager
    def listen(self) -> Iterator[Listener]:
        """Yield a listener that hears every ring from now on; the file must exist."""
        rings, interruption = closings_after_writing(self._path), Interruption()
        try:
            yield Listener(rings, interruption)
        finally:
            interruption.close()
            if rings is not None:
                os.close(rings)


class Listener:
    """Waits for the bell; where the kernel does not tell of rings, for a short time."""

    def __init__(self, rings: int | None, interruption: Interruption) -> None:
        self._rings = rings
        self._interruption = interruption

    def wait(self, seconds: float) -> None:
        """Return once the bell has rung since the last call, or after that many seconds.

        Any number of rings since the last call count as one.
        """
        poll = select.poll()
        poll.register(self._interruption, select.POLLIN)
        if self._rings is None:
            poll.poll(min(seconds, LOOK_SECONDS) * 1000)
            return
        poll.register(self._rings, select.POLLIN)
        if any(file == self._rings for file, _ in poll.poll(seconds * 1000)):
            os.read(self._rings, 65536)

    def interrupt(self) -> None:
        """See `WakeUps.interrupt`."""
        self._interruption.say()
