"""The lock of the next writer: who begins next to write into a SQLite file, across processes.

A writer that waits for SQLite sleeps longer and longer, up to 100 ms, before it looks again. A
process that commits all the time has taken SQLite's lock again by then, so other processes starve.
Therefore a writer first takes the lock of the next writer. It holds that lock only while it waits:
it looks every LOOK_SECONDS whether it can begin, and the process that has just committed cannot
overtake it.

SQLite's own lock still decides who may write. The kernel frees the lock of the next writer when its
process ends, however it ends. A writer that cannot have the lock waits as SQLite lets it.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic, sleep
from typing import Final

BUSY_SECONDS: Final = 5.0
"""How long a writer waits for SQLite's lock, and a reader for a moment in which it may read."""
NEXT_SECONDS: Final = 1.0
"""How long a writer waits to be the next one. Then it waits for SQLite like a writer without it."""
LOOK_SECONDS: Final = 0.0005
"""How often a waiting writer looks. A commit takes several times as long."""
BUSY_TIMEOUT: Final = f"PRAGMA busy_timeout={BUSY_SECONDS * 1000:.0f}"
BUSY_AT_ONCE: Final = "PRAGMA busy_timeout=0"
# IMMEDIATE: a transaction that reads first could not be sure to write later.
BEGIN: Final = "BEGIN IMMEDIATE"


class NextWriterLock:
    """The lock of one SQLite file; `path` is the lock's own file.

    The first writer that has to wait makes the file. So a command that only reads, and only makes
    sure that the tables exist, leaves no file beside a database that nobody else writes.
    """

    def __init__(
        self,
        path: Path,
        next_seconds: float = NEXT_SECONDS,
        busy_seconds: float = BUSY_SECONDS,
        flock: Callable[[int, int], object] = fcntl.flock,
    ) -> None:
        self._path = path
        self._next_seconds = next_seconds
        self._busy_seconds = busy_seconds
        self._flock = flock

    def begin(self, connection: sqlite3.Connection) -> None:
        """Begin a transaction that holds SQLite's write lock.

        Raises `sqlite3.OperationalError` if another transaction holds it for `busy_seconds`.
        """
        if not self._path.exists() and _has_begun_at_once(connection):
            return
        with self.held() as held:
            if held:
                _begin_within(self._busy_seconds, connection)
            else:
                connection.execute(BEGIN)

    @contextmanager
    def held(self) -> Iterator[bool]:
        """Hold the lock and yield True; yield False if it cannot be had.

        That is so after `next_seconds`, where the file system knows no locks, and where this
        account may not open the lock's file.
        """
        # The file is opened every time: the lock belongs to an open file, so threads exclude one
        # another as processes do, and no file stays open that somebody would have to close.
        try:
            file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        except OSError:
            yield False
            return
        try:
            yield self._take(file)
        finally:
            # A process that is being started may have a copy of the open file for a moment.
            # Closing alone would leave the lock with that copy.
            with suppress(OSError):
                self._flock(file, fcntl.LOCK_UN)
            os.close(file)

    def _take(self, file: int) -> bool:
        deadline = monotonic() + self._next_seconds
        while True:
            try:
                self._flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                # flock could wait by itself, but for ever: the holder may have been stopped.
                if monotonic() >= deadline:
                    return False
            except OSError:
                return False
            else:
                return True
            sleep(LOOK_SECONDS)


def _has_begun_at_once(connection: sqlite3.Connection) -> bool:
    try:
        _begin_within(0, connection)
    except sqlite3.OperationalError as error:
        if _is_busy(error):
            return False
        raise
    return True


def _begin_within(seconds: float, connection: sqlite3.Connection) -> None:
    deadline = monotonic() + seconds
    connection.execute(BUSY_AT_ONCE)
    try:
        while True:
            try:
                connection.execute(BEGIN)
            except sqlite3.OperationalError as error:
                if not _is_busy(error) or monotonic() >= deadline:
                    raise
            else:
                return
            sleep(LOOK_SECONDS)
    finally:
        connection.execute(BUSY_TIMEOUT)


def _is_busy(error: sqlite3.Error) -> bool:
    # The lower byte names the error, the other bytes its occasion.
    return error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
