"""A rebuild's tables in SQLite; its twin is `postgres.py`."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from domain.log.connections.file_lock import file_lock
from domain.log.parameters import as_json
from domain.log.reading.sqlite import SELECT_NEWEST
from domain.log.sqlite import SQLiteRecorder
from projections.read_model.contract import SHAPE, PositionMoved
from projections.read_model.rows import Row
from projections.read_model.sqlite.editions import SELECT_EDITION
from projections.read_model.sqlite.read_model import SQLiteReadModel
from projections.read_model.sqlite.schema import CREATE_ROWS, indexes
from projections.read_model.tables import TABLES
from projections.rebuilding.contract import FirstPassLeft, RebuildForbidden, can_go_on
from projections.rebuilding.statements.sqlite import (
    BEGIN_EDITION,
    BEGIN_PAST,
    DROP_EDITION,
    DROPPED,
    END_EDITION,
    END_PAST,
    FORGET_DROPPED,
    FORGET_PAST,
    REBUILT_INSTANCES,
    SELECT_DROPPED,
    SELECT_EXISTING,
    SELECT_LAST,
    SELECT_PAST,
    SELECT_ROWS,
    SELECT_TRIGGER,
    SERVE,
)

IS_DROPPED: Final = re.compile(
    f"{DROPPED}(rebuilt_)?({'|'.join(n.removeprefix('milepost_') for n in TABLES.names)})_[0-9]+"
)
SLICE: Final = 200
"""The number of rows that one transaction deletes."""


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
            for statement in map(TABLES.renamed, CREATE_ROWS):
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
