"""A rebuild's tables in SQLite; its twin is `postgres_shadow.py`."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import Any, Final, LiteralString

import msgspec
from eventsourcing.persistence import Notification

from domain.sqlite import SQLiteRecorder
from projections.read_model import SHAPE, InstanceRow, Row
from projections.shadow import Moment
from projections.sqlite import (
    BEGIN_EDITION,
    CREATE,
    INDEX,
    SELECT_EDITION,
    SELECT_NEWEST,
    TABLES,
    SQLiteReadModel,
)

DROP: Final = tuple(f"DROP TABLE IF EXISTS {name}" for name in TABLES.names)
DROP_REBUILT: Final = tuple(f"DROP TABLE IF EXISTS {name}" for name in TABLES.rebuilt)
END_EDITION: Final = "DELETE FROM milepost_read_model WHERE tables = 'rebuilt'"
# The row is also what a projector moves: after this it finds another generation.
SERVE: Final = """
    UPDATE milepost_read_model
       SET (shape, position, generation) = (
           SELECT shape, position, generation FROM milepost_read_model WHERE tables = 'rebuilt')
     WHERE tables = 'served'
       AND EXISTS (SELECT 1 FROM milepost_read_model AS rebuilt
                    WHERE rebuilt.tables = 'rebuilt' AND rebuilt.shape = ?
                      AND (rebuilt.position >= milepost_read_model.position
                           OR milepost_read_model.position > (
                              SELECT COALESCE(MAX(notification_id), 0) FROM milepost_events)))
"""
RENAME: Final = tuple(
    f"ALTER TABLE {rebuilt} RENAME TO {served}"
    for served, rebuilt in zip(TABLES.names, TABLES.rebuilt, strict=True)
)
SELECT_JOBS: Final = """
    SELECT originator_id
      FROM milepost_events WHERE originator_id > ? AND originator_version = 1
     ORDER BY originator_id LIMIT ?
"""
SELECT_ROWS: Final[dict[str, LiteralString]] = {
    "instances": """
        SELECT job_id, version, document, first_position, agent_id, user_id, status, current_step,
               silent_since
          FROM milepost_instances
    """,
    "timelines": "SELECT job_id, version, document FROM milepost_timelines",
}
AFTER: Final[LiteralString] = " WHERE job_id > ? ORDER BY job_id LIMIT ?"
OF_JOBS: Final[LiteralString] = " WHERE job_id IN (SELECT value FROM json_each(?))"
OF_STRANGERS: Final[LiteralString] = """
    WHERE NOT EXISTS (SELECT 1 FROM milepost_events WHERE originator_id = job_id) ORDER BY job_id
"""
SELECT_EVENTS: Final = """
    SELECT originator_id, originator_version, topic, state, notification_id
      FROM milepost_events WHERE originator_id IN (SELECT value FROM json_each(?))
     ORDER BY originator_id, originator_version
"""


class SQLiteShadow:
    """Keep the tables of a rebuild beside the served ones."""

    def __init__(self, recorder: SQLiteRecorder, shape: str = SHAPE) -> None:
        self.read_model = SQLiteReadModel(recorder, shape, rebuilt=True)
        self._datastore = recorder.datastore

    @contextmanager
    def taken(self) -> Iterator[bool]:
        """See `Shadow.taken`."""
        # A lock on a file beside the database: gone with the process, however it ends.
        path = f"{self._datastore.pool.db_name}-rebuild"
        lock_file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            taken = True
            try:
                fcntl.flock(lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                taken = False
            yield taken
        finally:
            os.close(lock_file)

    def begin(self, *, afresh: bool = False) -> int:
        """See `Shadow.begin`."""
        with self._datastore.writing() as cursor:
            left = cursor.execute(TABLES.turned(SELECT_EDITION)).fetchone()
            newest = cursor.execute(SELECT_NEWEST).fetchone()
            if left and left["shape"] == self.read_model.shape and not afresh:
                if left["position"] <= newest[0]:
                    return int(left["position"])
            for statement in (*DROP_REBUILT, END_EDITION):
                cursor.execute(statement)
            for statement in CREATE:
                cursor.execute(TABLES.turned(statement))
            cursor.execute(TABLES.turned(BEGIN_EDITION), (self.read_model.shape,))
            return 0

    def settle(self) -> None:
        """Do nothing: an index keeps its name in SQLite, so they are made during the swap."""

    def swap(self) -> bool:
        """See `Shadow.swap`."""
        with self._datastore.writing() as cursor:
            if cursor.execute(SERVE, (self.read_model.shape,)).rowcount != 1:
                return False
            for statement in (END_EDITION, *DROP, *RENAME, *INDEX):
                cursor.execute(statement)
        return True

    def drop(self) -> bool:
        """See `Shadow.drop`."""
        with self._datastore.writing() as cursor:
            for statement in DROP_REBUILT:
                cursor.execute(statement)
            return cursor.execute(END_EDITION).rowcount > 0

    def jobs(self, after: str, limit: int) -> Sequence[str]:
        """See `Shadow.jobs`."""
        return [row[0] for row in self._rows(SELECT_JOBS, after, limit)]

    def strangers(self, view: str) -> Sequence[str]:
        """See `Shadow.strangers`."""
        return [row[0] for row in self._rows(SELECT_ROWS[view] + OF_STRANGERS)]

    @contextmanager
    def moment(self) -> Iterator[Moment]:
        """See `Shadow.moment`."""
        with self._datastore.reading() as cursor:
            cursor.execute("BEGIN")
            try:
                yield _Moment(cursor.connection)
            finally:
                cursor.execute("ROLLBACK")

    def rows(self, view: str, after: str, limit: int) -> Sequence[Row | InstanceRow]:
        """See `Shadow.rows`."""
        statement = TABLES.turned(SELECT_ROWS[view] + AFTER)
        return [_row(row) for row in self._rows(statement, after, limit)]

    def _rows(self, statement: str, *parameters: Any) -> list[Any]:
        with self._datastore.reading() as cursor:
            return cursor.execute(statement, parameters).fetchall()


class _Moment:
    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def position(self) -> int:
        """See `Moment.position`."""
        found = self._connection.execute(SELECT_EDITION).fetchone()
        return int(found["position"]) if found else 0

    def rows(self, view: str, job_ids: Sequence[str]) -> Mapping[str, Row | InstanceRow]:
        """See `Moment.rows`."""
        found = self._connection.execute(SELECT_ROWS[view] + OF_JOBS, (_json(job_ids),))
        return {row["job_id"]: _row(row) for row in found}

    def events(self, job_ids: Sequence[str]) -> Iterator[Notification]:
        """See `Moment.events`."""
        for row in self._connection.execute(SELECT_EVENTS, (_json(job_ids),)):
            yield Notification(*row)


def _row(row: sqlite3.Row) -> Row | InstanceRow:
    columns = dict(row)
    if "silent_since" not in columns:
        return Row(**columns)
    with suppress(TypeError, ValueError):  # of one that somebody has edited
        columns["silent_since"] = datetime.fromisoformat(columns["silent_since"])
    return InstanceRow(**columns)


def _json(job_ids: Sequence[str]) -> str:
    return msgspec.json.encode(list(job_ids)).decode()
