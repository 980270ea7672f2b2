"""The lock of the next writer: across processes, one writer at a time waits for SQLite's lock.

A writer that waits for SQLite sleeps longer and longer, up to 100 ms, before it tries again. A
process that commits all the time holds SQLite's lock again by then, so other processes starve.
Therefore a writer first acquires the lock of the next writer. It holds that lock only while it
waits: it tries every LOOK_SECONDS to begin, and the process that has just committed cannot overtake
it.

SQLite's own lock still decides who may write. The kernel frees the lock of the next writer when its
process ends, also when it crashes. A writer that cannot get the lock waits as SQLite waits.
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

from domain.log.connections.beside import open_beside

BUSY_SECONDS: Final = 5.0
"""The most seconds that a writer waits for SQLite's write lock, or a reader until it may read."""
NEXT_SECONDS: Final = 1.0
"""The most seconds that a writer waits for this lock. Then it waits for SQLite without it."""
LOOK_SECONDS: Final = 0.0005
"""The seconds between two attempts of a waiting writer. A commit takes several times as long."""
BUSY_TIMEOUT: Final = f"PRAGMA busy_timeout={BUSY_SECONDS * 1000:.0f}"
BUSY_AT_ONCE: Final = "PRAGMA busy_timeout=0"
# IMMEDIATE: a transaction that reads first could not be sure to write later.
BEGIN: Final = "BEGIN IMMEDIATE"


class NextWriterLock:
    """The lock of one SQLite file; `path` is the lock's own file, made `like` the database.

    The first writer that must wait makes the file. So a command that only reads, after it has made
    sure that the tables exist, leaves no file beside a database without other writers.
    """

    def __init__(
        self,
        path: Path,
        next_seconds: float = NEXT_SECONDS,
        busy_seconds: float = BUSY_SECONDS,
        flock: Callable[[int, int], object] = fcntl.flock,
        like: Path | None = None,
    ) -> None:
        self._path, self._like = path, like
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
        """Hold the lock and yield True; yield False if this process cannot get it.

        It cannot after `next_seconds`, on a file system without locks, and if this account may not
        open the lock's file.
        """
        # Open the file each time. The lock belongs to an open file, so threads exclude one another
        # as processes do. And no file stays open that other code would have to close.
        try:
            file = open_beside(self._path, self._like, os.O_RDWR)
        except OSError:
            yield False
            return
        try:
            yield self._acquire(file)
        finally:
            # A process that is being started may have a copy of the open file for a short time.
            # If this process only closed its file, the copy would still hold the lock.
            with suppress(OSError):
                self._flock(file, fcntl.LOCK_UN)
            os.close(file)

    def _acquire(self, file: int) -> bool:
        deadline = monotonic() + self._next_seconds
        while True:
            try:
                self._flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                # Do not let flock wait: it would wait for ever if the holder were stopped.
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
    # The lower byte is the error, the other bytes are its cause.
    return error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
