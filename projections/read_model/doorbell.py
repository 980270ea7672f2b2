"""The doorbell: a process that committed wakes the projector where the database cannot do it.

The bell is a named pipe beside the database's file. A process rings it after a commit, and the
projector sleeps until then. A lost ring only costs time: an idle projector also reads the log by
itself, at least once a second.
"""

from __future__ import annotations

import os
import select
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event

LOOK_SECONDS = 0.25
"""The seconds that a listener sleeps on a file system without named pipes."""


class Doorbell:
    """The bell at this path. Any thread of any process may ring it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def ring(self) -> None:
        """Wake the listener, in any process, without waiting; without a listener, do nothing."""
        # Open the pipe for each ring, so that no file stays open that other code would have to
        # close. The cost is small beside that of the commit before.
        with suppress(OSError):  # no process listens, or the pipe is full of rings
            pipe = _pipe(self._path, os.O_WRONLY)
            try:
                os.write(pipe, b"!")
            finally:
                os.close(pipe)

    @contextmanager
    def listen(self) -> Iterator[Listener]:
        """Yield a listener that hears every ring from now on."""
        pipe = self._opened()
        try:
            yield Listener(pipe)
        finally:
            if pipe is not None:
                os.close(pipe)

    def _opened(self) -> int | None:
        try:
            with suppress(FileExistsError):
                os.mkfifo(self._path, 0o600)
            # The listener opens the pipe for writing too: so the pipe has a writer at all times,
            # and reading never meets the end of the file.
            return _pipe(self._path, os.O_RDWR)
        except OSError:
            # The file system has no named pipes, or this account may not make one.
            return None


class Listener:
    """Waits for the bell; without a pipe, for a short time."""

    def __init__(self, pipe: int | None) -> None:
        self._pipe = pipe

    def wait(self, seconds: float) -> None:
        """Return once the bell has rung since the last call, or after that many seconds.

        Any number of rings since the last call count as one.
        """
        if self._pipe is None:
            Event().wait(min(seconds, LOOK_SECONDS))
            return
        poll = select.poll()
        poll.register(self._pipe, select.POLLIN)
        if poll.poll(seconds * 1000):
            os.read(self._pipe, 65536)


def _pipe(path: Path, access: int) -> int:
    """Open the named pipe; raise OSError if the path is a link or another kind of file."""
    pipe = os.open(path, access | os.O_NONBLOCK | os.O_NOFOLLOW)
    if not stat.S_ISFIFO(os.fstat(pipe).st_mode):
        os.close(pipe)
        raise OSError(f"{path} is no named pipe")
    return pipe
