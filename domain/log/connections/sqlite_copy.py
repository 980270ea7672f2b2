"""A copy of a SQLite database at work, made through SQLite: a plain copy of the file lacks commits.

The newest commits are in `-wal`, and a checkpoint writes to the file while `cp` reads it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from domain.errors import MilepostError
from domain.log.connections.sqlite import READ, SQLiteDatastore

SLICE: Final = 2_560
"""The pages of one step: 10 MiB, which take some milliseconds."""

Reached = Callable[[int, int], object]
"""Takes the number of pages that are copied, and of all."""


class NotCopied(MilepostError):
    """The copy is no whole database; the message says why."""


def copy_database(
    datastore: SQLiteDatastore, target: Path, reached: Reached, pages: int = SLICE
) -> None:
    """Write the present state to an empty file, as one file without a `-wal`; check its structure.

    Servers go on meanwhile. What they commit is not in the copy. Raises `NotCopied` if the copy
    cannot be written or is damaged, and `OperationalError` if the database cannot be read.
    """
    with datastore.reading() as cursor, _created(target) as copy:
        source = cursor.connection
        # A step outside a transaction begins the copy anew after each commit of another process.
        source.execute("BEGIN")
        try:
            source.execute(READ).fetchone()
            source.backup(copy, pages=pages, progress=_reporting(reached))
        except sqlite3.Error as error:
            raise NotCopied(f"the copy cannot be made: {error}") from error
        finally:
            source.rollback()
        _finish(copy)


@contextmanager
def _created(target: Path) -> Iterator[sqlite3.Connection]:
    try:
        copy = sqlite3.connect(target, isolation_level=None)
    except sqlite3.Error as error:
        raise NotCopied(f"the copy cannot be made: {error}") from error
    with closing(copy):
        yield copy


def _reporting(reached: Reached) -> Callable[[int, int, int], object]:
    return lambda _, remaining, total: reached(total - remaining, total)


def _finish(copy: sqlite3.Connection) -> None:
    try:
        # The copy says of itself that it is in WAL mode. In this mode, a reader in a read-only
        # folder would have to trust that nobody writes.
        copy.execute("PRAGMA journal_mode=DELETE").fetchone()
        [found] = copy.execute("PRAGMA integrity_check(1)").fetchone()
    except sqlite3.Error as error:
        raise NotCopied(f"the copy cannot be read back: {error}") from error
    if found != "ok":
        raise NotCopied(f"the copy is damaged, and so may be the database: {found}")
