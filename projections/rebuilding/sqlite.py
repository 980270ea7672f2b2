"""A rebuild's tables in SQLite; its twin is `postgres.py`."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, LiteralString

from domain.log.connections.file_lock import file_lock
from domain.log.parameters import as_json
from domain.log.reading.sqlite import SELECT_NEWEST
from domain.log.sqlite import SQLiteRecorder
from projections.read_model.contract import SHAPE, PositionMoved
from projections.read_model.rows import Row
from projections.read_model.sqlite.editions import SELECT_EDITION
from projections.read_model.sqlite.read_model import SQLiteReadModel
from projections.read_model.sqlite.schema import CREATE, indexes
from projections.read_model.tables import TABLES
from projections.rebuilding.contract import FirstPassLeft, RebuildForbidden, can_go_on

# A generation number that no earlier tables had.
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
REBUILT_INSTANCES: Final[LiteralString] = TABLES.renamed("milepost_instances")
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
# The row with the generation number of dropped tables stays until new tables have a higher one.
# Otherwise a process that still folds into the dropped tables would write into the new ones.
FORGET_DROPPED: Final = """
    DELETE FROM milepost_read_model
     WHERE tables = 'dropped'
       AND EXISTS (SELECT 1 FROM milepost_read_model WHERE tables = 'rebuilt')
"""
DROP_EDITION: Final = "UPDATE milepost_read_model SET tables = 'dropped' WHERE tables = 'rebuilt'"
# SQLite drops a trigger silently with its table. Views and foreign keys refer to a table by its
# name, so they refer to the new table after the swap.
SELECT_TRIGGER: Final = """
    SELECT 'trigger ' || name, tbl_name FROM sqlite_master
     WHERE type = 'trigger' AND tbl_name IN (SELECT value FROM json_each(?)) LIMIT 1
"""
SELECT_EXISTING: Final = """
    SELECT name FROM sqlite_master
     WHERE type = 'table' AND name IN (SELECT value FROM json_each(?))
"""
# Dropping a big table holds the write lock for long. So a table is renamed first, then emptied in
# slices, then dropped.
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
"""The number of rows that one transaction deletes."""
# The projector updates the same row with each batch: after the swap it sees a new generation.
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
SELECT_ROWS: Final[dict[str, LiteralString]] = {
    view: TABLES.renamed(
        f"SELECT job_id, version, document FROM milepost_{view}"
        " WHERE job_id > ? ORDER BY job_id LIMIT ?"
    )
    for view in ("instances", "timelines")
}


class SQLiteShadow:
    """The tables of a rebuild, beside the served ones in the same file."""

    def __init__(self, recorder: SQLiteRecorder, shape: str = SHAPE) -> None:
        self.read_model = SQLiteReadModel(recorder, shape, rebuilt=True)
        self._datastore = recorder.datastore

    @contextmanager
    def lock(self) -> Iterator[bool]:
        """See `Shadow.lock`."""
        database = self._datastore.pool.db_name
        with file_lock(Path(f"{database}-rebuild"), like=Path(database)) as is_held:
            yield is_held

    def begin(self, *, afresh: bool = False) -> int:
        """See `Shadow.begin`."""
        with self._datastore.writing() as cursor:
            _refuse_triggers(cursor)
            left = cursor.execute(TABLES.renamed(SELECT_EDITION)).fetchone()
            past = cursor.execute(SELECT_PAST).fetchone()
            newest = cursor.execute(SELECT_NEWEST).fetchone()[0]
            if left and not afresh:
                reached = max(left["position"], past["position"] if past else 0)
                if can_go_on(self.read_model.shape, left["shape"], reached, newest):
                    return int(left["position"])
            _mark_dropped(cursor, TABLES.rebuilt, left["generation"] if left else 0)
            generation = cursor.execute(BEGIN_EDITION, (self.read_model.shape,)).fetchone()[0]
            cursor.execute(BEGIN_PAST, (newest,))
            # Rows come in order, so the indexes cost little now. At the end, making them would hold
            # the write lock for long.
            for statement in map(TABLES.renamed, CREATE):
                cursor.execute(statement)
            for statement in indexes(REBUILT_INSTANCES, generation).values():
                cursor.execute(statement)
            return 0

    def first_pass(self) -> FirstPassLeft | None:
        """See `Shadow.first_pass`."""
        for until in self._rows(SELECT_PAST):
            last = self._rows(SELECT_LAST)
            return FirstPassLeft(until[0], last[0][0] if last else "")
        return None

    def end_first_pass(self, generation: int, position: int, until: int) -> None:
        """See `Shadow.end_first_pass`."""
        with self._datastore.writing() as cursor:
            if cursor.execute(END_PAST, (generation, position, until)).rowcount != 1:
                raise PositionMoved
            cursor.execute(FORGET_PAST)

    def make_indexes(self) -> None:
        """Do nothing: `begin` makes the indexes with the tables."""

    def swap(self) -> bool:
        """See `Shadow.swap`."""
        with self._datastore.writing() as cursor:
            served = cursor.execute(SELECT_EDITION).fetchone()
            if cursor.execute(SERVE, (self.read_model.shape,)).rowcount != 1:
                return False
            # Look once more: a trigger made since the beginning would be lost, or would run.
            _refuse_triggers(cursor)
            cursor.execute(END_EDITION)
            _mark_dropped(cursor, TABLES.names, served["generation"])
            for table, rebuilt in zip(TABLES.names, TABLES.rebuilt, strict=True):
                _rename(cursor, rebuilt, table)
        return True

    def drop(self) -> bool:
        """See `Shadow.drop`."""
        with self._datastore.writing() as cursor:
            left = cursor.execute(TABLES.renamed(SELECT_EDITION)).fetchone()
            _mark_dropped(cursor, TABLES.rebuilt, left["generation"] if left else 0)
            for statement in (FORGET_DROPPED, FORGET_PAST):
                cursor.execute(statement)
            return cursor.execute(DROP_EDITION).rowcount > 0

    def clear(self) -> bool:
        """See `Shadow.clear`."""
        # Read first: without a table to delete, no writer waits for a write lock.
        if not _dropped_by_milepost(self._rows(SELECT_DROPPED)):
            return False
        with self._datastore.writing() as cursor:
            dropped = _dropped_by_milepost(cursor.execute(SELECT_DROPPED).fetchall())
            for name, key in dropped[:1]:
                some = f"SELECT {key} FROM {name} ORDER BY {key} LIMIT {SLICE}"
                if cursor.execute(f"DELETE FROM {name} WHERE ({key}) IN ({some})").rowcount == 0:
                    cursor.execute(f"DROP TABLE {name}")
        return True

    def rows(self, view: str, after: str, limit: int) -> Sequence[Row]:
        """See `Shadow.rows`."""
        return [Row(*row) for row in self._rows(SELECT_ROWS[view], after, limit)]

    def _rows(self, statement: str, *parameters: Any) -> list[Any]:
        with self._datastore.reading() as cursor:
            return cursor.execute(statement, parameters).fetchall()


def _dropped_by_milepost(tables: Sequence[Any]) -> list[tuple[str, str]]:
    return [(name, key) for name, key in tables if IS_DROPPED.fullmatch(name)]


def _refuse_triggers(cursor: sqlite3.Cursor) -> None:
    for what, table in cursor.execute(SELECT_TRIGGER, (as_json(TABLES.names),)).fetchall():
        raise RebuildForbidden.by(what, table)


def _mark_dropped(cursor: sqlite3.Cursor, tables: Sequence[str], generation: int) -> None:
    """Rename the existing ones among these tables, so that `clear` deletes them."""
    for row in cursor.execute(SELECT_EXISTING, (as_json(tables),)).fetchall():
        kind = row["name"].removeprefix("milepost_")
        _rename(cursor, row["name"], f"{DROPPED}{kind}_{generation}")


def _rename(cursor: sqlite3.Cursor, table: str, name: str) -> None:
    # Without legacy_alter_table, SQLite would rename the table in views too, and would refuse if a
    # view is broken.
    cursor.execute("PRAGMA legacy_alter_table=ON")
    try:
        cursor.execute(f"ALTER TABLE {table} RENAME TO {name}")
    finally:
        cursor.execute("PRAGMA legacy_alter_table=OFF")
