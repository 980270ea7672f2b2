"""A rebuild's tables in PostgreSQL; its twin is `sqlite.py`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import LiteralString

import psycopg
from eventsourcing.persistence import (
    OperationalError,
    ProgrammingError,
)
from psycopg import Cursor
from psycopg.errors import InsufficientPrivilege, LockNotAvailable
from psycopg.rows import DictRow

from domain.log.connections.postgres_locks import LOCK_REBUILD, LOCK_SCHEMA, UNLOCK
from domain.log.postgres import PostgresRecorder
from domain.log.reading.postgres import SELECT_NEWEST
from projections.read_model.contract import SHAPE, PositionMoved
from projections.read_model.postgres.editions import SELECT_EDITION
from projections.read_model.postgres.read_model import PostgresReadModel
from projections.read_model.postgres.schema import CREATE_ROWS, INDEX
from projections.read_model.rows import Row
from projections.read_model.tables import TABLES
from projections.rebuilding.contract import FirstPassLeft, RebuildForbidden, can_go_on
from projections.rebuilding.statements.postgres import (
    ANALYZE,
    BEGIN_EDITION,
    BEGIN_PAST,
    DROP,
    DROP_EDITION,
    DROP_REPLACED,
    END_EDITION,
    END_PAST,
    FORGET_DROPPED,
    FORGET_PAST,
    LOCK_TABLES,
    NOT_WAITING,
    RENAME,
    RENAME_INDEXES,
    RENAME_REPLACED_INDEXES,
    SAME_OWNER,
    SAME_RIGHTS,
    SELECT_DEPENDENTS,
    SELECT_DROPPED,
    SELECT_LAST,
    SELECT_PAST,
    SELECT_ROWS,
    SERVE,
    SOON,
)


class PostgresShadow:
    """The tables of a rebuild, beside the served ones in the same database."""

    def __init__(self, recorder: PostgresRecorder, shape: LiteralString = SHAPE) -> None:
        self.read_model = PostgresReadModel(recorder, shape, rebuilt=True)
        self._datastore = recorder.datastore

    @contextmanager
    def lock(self) -> Iterator[bool]:
        """See `Shadow.lock`."""
        # The server releases a session lock when the process ends, also when it crashes.
        try:
            with self._datastore.session() as connection:
                locked = connection.execute(LOCK_REBUILD).fetchone()
                try:
                    yield bool(locked and locked[0])
                finally:
                    # A busy server may see the end of the session after the next rebuild has asked.
                    # Where the session is gone already, its locks are, too.
                    with suppress(psycopg.Error):
                        connection.execute(UNLOCK)
        except psycopg.Error as error:
            raise OperationalError(str(error)) from error

    def begin(self, *, afresh: bool = False) -> int:
        """See `Shadow.begin`."""
        try:
            with self._datastore.transaction(commit=True) as cursor:
                cursor.execute(LOCK_SCHEMA)
                _refuse_dependents(cursor)
                left = cursor.execute(TABLES.renamed(SELECT_EDITION)).fetchone()
                past = cursor.execute(SELECT_PAST).fetchone()
                row = cursor.execute(SELECT_NEWEST).fetchone()
                newest = int(row["position"]) if row else 0
                if left and not afresh:
                    reached = max(left["position"], past["position"] if past else 0)
                    if can_go_on(self.read_model.shape, left["shape"], reached, newest):
                        return int(left["position"])
                for statement in (DROP, *CREATE_ROWS):
                    cursor.execute(TABLES.renamed(statement))
                cursor.execute(BEGIN_EDITION, (self.read_model.shape,))
                cursor.execute(BEGIN_PAST, (newest,))
                for made in (SAME_RIGHTS, SAME_OWNER):
                    _run_made(cursor, made, list(TABLES.names), list(TABLES.rebuilt))
                return 0
        except ProgrammingError as error:
            if isinstance(error.__cause__, InsufficientPrivilege):
                raise RebuildForbidden.to_this_account(error) from error
            raise

    def first_pass(self) -> FirstPassLeft | None:
        """See `Shadow.first_pass`."""
        past = self._datastore.rows(SELECT_PAST)
        if not past:
            return None
        last = self._datastore.rows(SELECT_LAST)
        return FirstPassLeft(past[0]["position"], last[0]["job_id"] if last else "")

    def end_first_pass(self, generation: int, position: int, until: int) -> None:
        """See `Shadow.end_first_pass`."""
        with self._datastore.transaction(commit=True) as cursor:
            if cursor.execute(END_PAST, (generation, position, until)).rowcount != 1:
                raise PositionMoved
            cursor.execute(FORGET_PAST)

    def make_indexes(self) -> None:
        """Make the indexes only now, because they would have slowed the folding; then analyze."""
        with self._datastore.transaction(commit=True) as cursor:
            for statement in INDEX:
                cursor.execute(TABLES.renamed(statement))
            cursor.execute(ANALYZE)

    def swap(self) -> bool:
        """See `Shadow.swap`."""
        self.clear()
        if self._dropped():
            return False
        try:
            with self._datastore.transaction(commit=True) as cursor:
                cursor.execute(SOON)
                cursor.execute(NOT_WAITING)
                if cursor.execute(SERVE, (self.read_model.shape,)).rowcount != 1:
                    return False
                for statement in (END_EDITION, LOCK_TABLES):
                    cursor.execute(statement)
                # Look once more: an object made since the beginning would be lost.
                _refuse_dependents(cursor)
                _run_made(cursor, RENAME_REPLACED_INDEXES, list(TABLES.names))
                for statement in RENAME:
                    cursor.execute(statement)
                _run_made(cursor, RENAME_INDEXES, list(TABLES.names))
        except OperationalError as error:
            if isinstance(error.__cause__, LockNotAvailable):
                return False
            raise
        return True

    def drop(self) -> bool:
        """See `Shadow.drop`."""
        with self._datastore.transaction(commit=True) as cursor:
            cursor.execute(TABLES.renamed(DROP))
            for statement in (FORGET_DROPPED, FORGET_PAST):
                cursor.execute(statement)
            return cursor.execute(DROP_EDITION).rowcount > 0

    def clear(self) -> bool:
        """Drop the replaced tables. PostgreSQL does so at once, so slices are not needed."""
        dropped = self._dropped()
        if not dropped or not all(dropped):
            return False
        try:
            with self._datastore.transaction(commit=True) as cursor:
                cursor.execute(SOON)
                cursor.execute(DROP_REPLACED)
        except OperationalError as error:
            if isinstance(error.__cause__, LockNotAvailable):
                return False
            raise
        return True

    def _dropped(self) -> Sequence[bool]:
        """Return for each replaced table that is left whether this account may drop it."""
        rows = self._datastore.rows(SELECT_DROPPED, (list(TABLES.dropped),))
        return [row["is_ours"] for row in rows]

    def rows(self, view: str, after: str, limit: int) -> Sequence[Row]:
        """See `Shadow.rows`."""
        return [Row(**row) for row in self._datastore.rows(SELECT_ROWS[view], (after, limit))]


def _refuse_dependents(cursor: Cursor[DictRow]) -> None:
    for row in cursor.execute(SELECT_DEPENDENTS, (list(TABLES.names),)).fetchall():
        raise RebuildForbidden.by(row["what"], row["name"])


def _run_made(cursor: Cursor[DictRow], made: LiteralString, *tables: list[LiteralString]) -> None:
    """Run the statements that a query makes for these tables."""
    for row in cursor.execute(made, tables).fetchall():
        cursor.execute(row["statement"])
