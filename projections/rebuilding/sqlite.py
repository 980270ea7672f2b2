"""A rebuild's tables in SQLite; its twin is `postgres_shadow.py`."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any, Final, LiteralString

from domain.log.file_lock import file_lock
from domain.log.parameters import as_json
from domain.log.reading.sqlite import SELECT_NEWEST, STORED
from domain.log.sqlite import SQLiteRecorder
from domain.log.stored import Stored
from projections.read_model.contract import SHAPE, InstanceRow, PositionMoved, Row
from projections.read_model.sqlite import (
    CREATE,
    SELECT_EDITION,
    TABLES,
    SQLiteReadModel,
    indexes,
)
from projections.rebuilding.contract import Left, Moment, RebuildForbidden

# Another number than those have that were here.
BEGIN_EDITION: Final = """
    INSERT INTO milepost_read_model
    SELECT 'rebuilt', ?, 0, MAX(generation) + 1 FROM milepost_read_model WHERE TRUE
    ON CONFLICT (tables) DO UPDATE
       SET shape = excluded.shape, position = 0, generation = excluded.generation
RETURNING generation
"""
BEGIN_PAST: Final = """
    INSERT INTO milepost_read_model
    SELECT 'past', shape, ?, generation FROM milepost_read_model WHERE tables = 'rebuilt'
    ON CONFLICT (tables) DO UPDATE
       SET shape = excluded.shape, position = excluded.position, generation = excluded.generation
"""
SELECT_PAST: Final = "SELECT position FROM milepost_read_model WHERE tables = 'past'"
REBUILT_INSTANCES: Final[LiteralString] = TABLES.turned("milepost_instances")
SELECT_LAST: Final = f"SELECT job_id FROM {REBUILT_INSTANCES} ORDER BY job_id DESC LIMIT 1"
END_PAST: Final = """
    UPDATE milepost_read_model AS rebuilt SET position = past.position
      FROM milepost_read_model AS past
     WHERE rebuilt.tables = 'rebuilt' AND past.tables = 'past'
       AND past.generation = rebuilt.generation
       AND rebuilt.generation = ? AND rebuilt.position = ? AND past.position = ?
"""
FORGET_PAST: Final = "DELETE FROM milepost_read_model WHERE tables = 'past'"
END_EDITION: Final = "DELETE FROM milepost_read_model WHERE tables IN ('rebuilt', 'past')"
# What is left of dropped tables is their number, which no others must get: whoever still folds into
# them would take the others for theirs.
FORGET_DROPPED: Final = """
    DELETE FROM milepost_read_model
     WHERE tables = 'dropped'
       AND EXISTS (SELECT 1 FROM milepost_read_model WHERE tables = 'rebuilt')
"""
DROP_EDITION: Final = "UPDATE milepost_read_model SET tables = 'dropped' WHERE tables = 'rebuilt'"
# A trigger goes with its table, without a word. Views and foreign keys go by the name.
SELECT_TRIGGER: Final = """
    SELECT 'trigger ' || name, tbl_name FROM sqlite_master
     WHERE type = 'trigger' AND tbl_name IN (SELECT value FROM json_each(?)) LIMIT 1
"""
SELECT_THERE: Final = """
    SELECT name FROM sqlite_master
     WHERE type = 'table' AND name IN (SELECT value FROM json_each(?))
"""
# To drop a big table takes its time, and the write lock: it gets another name, and is emptied in
# slices before.
DROPPED: Final = "milepost_dropped_"
SELECT_DROPPED: Final = f"""
    SELECT name, (SELECT group_concat(name) FROM (
                  SELECT name FROM pragma_table_info(t.name) WHERE pk ORDER BY pk)) AS key
      FROM sqlite_master AS t WHERE type = 'table' AND name GLOB '{DROPPED}*'
"""
IS_DROPPED: Final = re.compile(
    f"{DROPPED}(rebuilt_)?({'|'.join(n.removeprefix('milepost_') for n in TABLES.names)})_[0-9]+"
)
SLICE: Final = 200
"""How many rows are taken away under one lock."""
# The row is also what a projector moves: after this it finds another generation.
SERVE: Final = """
    UPDATE milepost_read_model
       SET (shape, position, generation) = (
           SELECT shape, position, generation FROM milepost_read_model WHERE tables = 'rebuilt')
     WHERE tables = 'served'
       AND NOT EXISTS (SELECT 1 FROM milepost_read_model WHERE tables = 'past')
       AND EXISTS (SELECT 1 FROM milepost_read_model AS rebuilt
                    WHERE rebuilt.tables = 'rebuilt' AND rebuilt.shape = ?
                      AND (rebuilt.position >= milepost_read_model.position
                           OR milepost_read_model.position > (
                              SELECT COALESCE(MAX(notification_id), 0) FROM milepost_events)))
"""
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
SELECT_EVENTS: Final = f"""
    SELECT {STORED} FROM milepost_events
     WHERE originator_id IN (SELECT value FROM json_each(?))
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
        with file_lock(Path(f"{self._datastore.pool.db_name}-rebuild")) as is_ours:
            yield is_ours

    def begin(self, *, afresh: bool = False) -> int:
        """See `Shadow.begin`."""
        with self._datastore.writing() as cursor:
            _refuse_triggers(cursor)
            left = cursor.execute(TABLES.turned(SELECT_EDITION)).fetchone()
            past = cursor.execute(SELECT_PAST).fetchone()
            newest = cursor.execute(SELECT_NEWEST).fetchone()[0]
            if left and left["shape"] == self.read_model.shape and not afresh:
                if max(left["position"], past["position"] if past else 0) <= newest:
                    return int(left["position"])
            _put_aside(cursor, TABLES.rebuilt, left["generation"] if left else 0)
            generation = cursor.execute(BEGIN_EDITION, (self.read_model.shape,)).fetchone()[0]
            cursor.execute(BEGIN_PAST, (newest,))
            # Rows come in order, so that indexes cost little now, and a long lock in the end.
            for statement in map(TABLES.turned, CREATE):
                cursor.execute(statement)
            for statement in indexes(REBUILT_INSTANCES, generation).values():
                cursor.execute(statement)
            return 0

    def past(self) -> Left | None:
        """See `Shadow.past`."""
        for until in self._rows(SELECT_PAST):
            last = self._rows(SELECT_LAST)
            return Left(until[0], last[0][0] if last else "")
        return None

    def end_past(self, generation: int, position: int, until: int) -> None:
        """See `Shadow.end_past`."""
        with self._datastore.writing() as cursor:
            if cursor.execute(END_PAST, (generation, position, until)).rowcount != 1:
                raise PositionMoved
            cursor.execute(FORGET_PAST)

    def settle(self) -> None:
        """Do nothing: the indexes were made with the tables."""

    def swap(self) -> bool:
        """See `Shadow.swap`."""
        with self._datastore.writing() as cursor:
            served = cursor.execute(SELECT_EDITION).fetchone()
            if cursor.execute(SERVE, (self.read_model.shape,)).rowcount != 1:
                return False
            # Once more: what was made since the beginning would be lost, or do its work.
            _refuse_triggers(cursor)
            cursor.execute(END_EDITION)
            _put_aside(cursor, TABLES.names, served["generation"])
            for table, rebuilt in zip(TABLES.names, TABLES.rebuilt, strict=True):
                _rename(cursor, rebuilt, table)
        return True

    def drop(self) -> bool:
        """See `Shadow.drop`."""
        with self._datastore.writing() as cursor:
            left = cursor.execute(TABLES.turned(SELECT_EDITION)).fetchone()
            _put_aside(cursor, TABLES.rebuilt, left["generation"] if left else 0)
            for statement in (FORGET_DROPPED, FORGET_PAST):
                cursor.execute(statement)
            return cursor.execute(DROP_EDITION).rowcount > 0

    def clear(self) -> bool:
        """See `Shadow.clear`."""
        if not _ours(self._rows(SELECT_DROPPED)):  # nobody has to wait to hear that
            return False
        with self._datastore.writing() as cursor:
            for name, key in _ours(cursor.execute(SELECT_DROPPED).fetchall())[:1]:
                some = f"SELECT {key} FROM {name} ORDER BY {key} LIMIT {SLICE}"
                if cursor.execute(f"DELETE FROM {name} WHERE ({key}) IN ({some})").rowcount == 0:
                    cursor.execute(f"DROP TABLE {name}")
        return True

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
        found = self._connection.execute(SELECT_ROWS[view] + OF_JOBS, (as_json(list(job_ids)),))
        return {row["job_id"]: _row(row) for row in found}

    def events(self, job_ids: Sequence[str]) -> Iterator[Stored]:
        """See `Moment.events`."""
        yield from map(
            Stored._make, self._connection.execute(SELECT_EVENTS, (as_json(list(job_ids)),))
        )


def _ours(tables: Sequence[Any]) -> list[tuple[str, str]]:
    return [(name, key) for name, key in tables if IS_DROPPED.fullmatch(name)]


def _refuse_triggers(cursor: sqlite3.Cursor) -> None:
    for what, table in cursor.execute(SELECT_TRIGGER, (as_json(TABLES.names),)).fetchall():
        raise RebuildForbidden.by(what, table)


def _put_aside(cursor: sqlite3.Cursor, tables: Sequence[str], generation: int) -> None:
    """Give those of these tables that there are a name under which they are taken away."""
    for row in cursor.execute(SELECT_THERE, (as_json(tables),)).fetchall():
        kind = row["name"].removeprefix("milepost_")
        _rename(cursor, row["name"], f"{DROPPED}{kind}_{generation}")


def _rename(cursor: sqlite3.Cursor, table: str, name: str) -> None:
    # Without "legacy", views would follow the table, and one that somebody has broken forbids it.
    cursor.execute("PRAGMA legacy_alter_table=ON")
    try:
        cursor.execute(f"ALTER TABLE {table} RENAME TO {name}")
    finally:
        cursor.execute("PRAGMA legacy_alter_table=OFF")


def _row(row: sqlite3.Row) -> Row | InstanceRow:
    columns = dict(row)
    if "silent_since" not in columns:
        return Row(**columns)
    with suppress(TypeError, ValueError):  # of one that somebody has edited
        columns["silent_since"] = datetime.fromisoformat(columns["silent_since"])
    return InstanceRow(**columns)
