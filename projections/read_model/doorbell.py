"""A bell between processes, for databases that cannot call anybody: a named pipe beside the file.

Whoever has committed rings; the projector sleeps until then. Nothing depends on a ring that is
heard: a projector looks by itself from time to time.
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
"""How often to look where the file system has no pipes."""


class Doorbell:
    """The bell at this path; any thread may ring."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def ring(self) -> None:
        """Wake whoever listens, in any process, if anybody does."""
        # Opened for each ring, which costs nothing beside the commit before it: nothing is left
        # open that somebody would have to close.
        with suppress(OSError):  # nobody listens, or it is full of rings already
            pipe = _pipe(self._path, os.O_WRONLY)
            try:
                os.write(pipe, b"!")
            finally:
                os.close(pipe)

    @contextmanager
    def listen(self) -> Iterator[Listener]:
        """Hear rings from now on."""
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
            # Also for writing, so that it never comes to an end when a writer leaves.
            return _pipe(self._path, os.O_RDWR)
        except OSError:
            # A file system without pipes, or without a right to make one.
            return None


class Listener:
    """Waits for the bell."""

    def __init__(self, pipe: int | None) -> None:
        self._pipe = pipe

    def wait(self, seconds: float) -> None:
        """Return when somebody has rung since the last time, or after that many seconds."""
        if self._pipe is None:
            Event().wait(min(seconds, LOOK_SECONDS))
            return
        poll = select.poll()
        poll.register(self._pipe, select.POLLIN)
        if poll.poll(seconds * 1000):
            os.read(self._pipe, 65536)


def _pipe(path: Path, access: int) -> int:
    """Open a named pipe; raise OSError for anything else, which somebody may have put there."""
    pipe = os.open(path, access | os.O_NONBLOCK | os.O_NOFOLLOW)
    if not stat.S_ISFIFO(os.fstat(pipe).st_mode):
        os.close(pipe)
        raise OSError(f"{path} is no named pipe")
    return pipe
