"""Connections to a SQLite file: pooled, durable, and with a lock for transactions that write."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from eventsourcing import sqlite
from eventsourcing.persistence import IntegrityError, OperationalError

from domain.log.bounded import within_bytes
from domain.log.connections.sqlite_lock import BUSY_SECONDS, BUSY_TIMEOUT, NextWriterLock
from domain.log.connections.sqlite_place import Place
from domain.log.stored import Stored

WAL_BYTES = 16 * 2**20
"""How large `-wal` may stay. A server that nobody reads for long writes 4 to 5 MiB of it."""
# FULL: a commit is on the disk before it is acknowledged, also when the power fails.
# A long reader lets `-wal` grow; after it, the file shrinks to this limit again.
PRAGMAS = (
    "PRAGMA synchronous=FULL",
    BUSY_TIMEOUT,
    f"PRAGMA journal_size_limit={WAL_BYTES}",
)
WAL = "PRAGMA journal_mode=WAL"
READ = "SELECT COUNT(*) FROM sqlite_master"
# Another program may have made the file before Milepost. Texts are compared by their bytes, so
# another encoding has another order of jobs.
ENCODING = "PRAGMA encoding"


CANNOT_WRITE = (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY)


class DurableConnectionPool(sqlite.SQLiteConnectionPool):
    """A pool whose connections wait for the disk, and all have the same file open.

    With `only_looks`, its connections change nothing, neither the journal mode, and read a file
    in a read-only folder as well.
    """

    def __init__(self, place: Place, *, db_name: str, only_looks: bool = False) -> None:
        super().__init__(db_name=db_name)
        self._place = place
        self._only_looks = only_looks

    def _create_connection(self) -> sqlite.SQLiteConnection:
        # SQLite would make a new file where the open one was removed.
        self._place.check()
        try:
            connection = self._looking() if self._only_looks else _connected(self.db_name)
            with closed_on_error(connection):
                self._set_up(connection)
                self._place.opened()
        except sqlite3.Error as error:
            raise OperationalError(f"{self.db_name}: {error}") from error
        return sqlite.SQLiteConnection(connection, max_age=self.max_age)

    def close(self) -> None:
        """Close all connections."""
        super().close()
        self._place.closed()

    def _set_up(self, connection: sqlite3.Connection) -> None:
        if not (self._only_looks or self.is_journal_mode_wal):
            connection.execute(WAL).fetchone()
            self.is_journal_mode_wal = True
        for pragma in PRAGMAS:
            connection.execute(pragma)
        [encoding] = connection.execute(ENCODING).fetchone()
        if encoding != "UTF-8":
            raise OperationalError(f"{self.db_name} is encoded in {encoding}; Milepost needs UTF-8")

    def _looking(self) -> sqlite3.Connection:
        connection = _connected(self.db_name)
        with closed_on_error(connection):
            try:
                connection.execute(READ).fetchone()
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF not in CANNOT_WRITE:
                    raise
            else:
                return connection
        connection.close()
        return self._immutable()

    def _immutable(self) -> sqlite3.Connection:
        """Connect where SQLite can make no `-shm`; raise `OperationalError` if that hid commits."""
        for end in ("-wal", "-journal"):
            beside = Path(f"{self.db_name}{end}")
            if beside.exists() and beside.stat().st_size:
                raise OperationalError(
                    f"{beside} has commits that SQLite cannot read in a read-only folder; copy "
                    f"{self.db_name} and this file to a folder that this account may write to"
                )
        # SQLite then believes that nobody writes. A writer would have made a `-shm`.
        connection = _connected(f"file:{quote(self.db_name)}?immutable=1")
        with closed_on_error(connection):
            connection.execute(READ).fetchone()
        return connection


class SQLiteDatastore(sqlite.SQLiteDatastore):
    """The library's datastore; connections are durable, a transaction holds the write lock."""

    def __init__(self, db_name: str, *, only_looks: bool = False, **options: Any) -> None:
        super().__init__(db_name, **options)
        self.place = Place(db_name)
        self.pool = DurableConnectionPool(self.place, db_name=db_name, only_looks=only_looks)
        self._next_writer = NextWriterLock(Path(f"{db_name}-next-writer"), like=Path(db_name))

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Cursor]:
        """Yield a cursor in a transaction that holds the write lock; commit, or roll back.

        Raises `OperationalError` after the commit if the file was replaced or removed: then the
        commit is in a file that nobody will find.
        """
        self.place.refuse_if_left()
        with self.get_connection(commit=True) as connection:
            with translated(), connection.cursor() as cursor:
                self._next_writer.begin(cursor.connection)
                try:
                    yield cursor
                except BaseException:
                    connection.rollback()
                    raise
                connection.commit()
        self.place.check()

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Cursor]:
        """Yield a cursor for one statement, which reads one consistent state of the database."""
        with self.get_connection(commit=False) as connection:
            with translated(), connection.cursor() as cursor:
                yield cursor

    def stored(self, statement: str, parameters: Sequence[Any] = ()) -> list[Stored]:
        """Run a statement whose columns are those of `Stored`; return its events within bytes."""
        with self.reading() as cursor:
            cursor.row_factory = _stored_row
            return within_bytes(cursor.execute(statement, parameters))


def _connected(database: str) -> sqlite3.Connection:
    connection = sqlite3.connect(
        database, uri=True, check_same_thread=False, isolation_level=None, timeout=BUSY_SECONDS
    )
    connection.row_factory = sqlite3.Row
    return connection


@contextmanager
def closed_on_error(connection: sqlite3.Connection) -> Iterator[None]:
    """Close a connection that cannot be used; the error goes on."""
    try:
        yield
    except BaseException:
        connection.close()
        raise


def _stored_row(_: sqlite3.Cursor, row: tuple[Any, ...]) -> Stored:
    return Stored._make(row)


@contextmanager
def translated() -> Iterator[None]:
    """Raise the library's errors in place of the driver's."""
    try:
        yield
    except sqlite3.IntegrityError as error:
        raise IntegrityError(error) from error
    except sqlite3.Error as error:
        raise OperationalError(error) from error
