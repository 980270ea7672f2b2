"""Schema steps of a SQLite file; its twin is `postgres.py`."""

from __future__ import annotations

import sqlite3
from typing import TypeAlias

import msgspec
from eventsourcing.persistence import PersistenceError

from domain.log.connections.sqlite import SQLiteDatastore
from domain.log.schema.steps import Part, Schema, Step, Tables

CREATE = """
    CREATE TABLE IF NOT EXISTS milepost_schema (
      part TEXT NOT NULL,
      step INTEGER NOT NULL,
      applied_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
      PRIMARY KEY (part, step)) WITHOUT ROWID
"""
SELECT_EXISTING = """
    SELECT value FROM json_each(?)
     WHERE EXISTS (
           SELECT 1 FROM pragma_table_info(substr(value, 1, instr(value || '.', '.') - 1))
            WHERE substr(value, instr(value || '.', '.') + 1) IN ('', name))
"""
SELECT_APPLIED = "SELECT part, step FROM milepost_schema"
# A step that is applied again makes tables without the indexes of later steps: apply those steps
# again too.
FORGET_LATER = "DELETE FROM milepost_schema WHERE part = ? AND step >= ?"
RECORD = "INSERT INTO milepost_schema (part, step) VALUES (?, ?)"

SQLitePart: TypeAlias = Part[sqlite3.Cursor]


class SQLiteSchema(Schema[sqlite3.Cursor]):
    """The steps of the tables in one file."""

    def __init__(self, datastore: SQLiteDatastore, *parts: SQLitePart) -> None:
        super().__init__(*parts)
        self._datastore = datastore

    def _tables(self) -> Tables:
        with self._datastore.reading() as cursor:
            return self._read(cursor)

    def _read(self, cursor: sqlite3.Cursor) -> Tables:
        wanted = msgspec.json.encode(["milepost_schema", *self._names]).decode()
        existing = {row[0] for row in cursor.execute(SELECT_EXISTING, (wanted,)).fetchall()}
        applied = (
            {(row[0], row[1]) for row in cursor.execute(SELECT_APPLIED).fetchall()}
            if "milepost_schema" in existing
            else ()
        )
        return Tables(frozenset(applied), frozenset(existing))

    def _apply(self, part: SQLitePart, step: Step[sqlite3.Cursor]) -> Tables:
        with self._datastore.writing() as cursor:
            tables = self._read(cursor)
            if tables.await_step(part, step):
                cursor.execute(CREATE)
                if tables.miss(step) or not step.makes:
                    step.run(cursor)
                cursor.execute(FORGET_LATER, (part.name, step.number))
                cursor.execute(RECORD, (part.name, step.number))
            return self._read(cursor)

    def _forbids(self, error: PersistenceError) -> bool:
        cause = error.__cause__
        return (
            isinstance(cause, sqlite3.OperationalError)
            and cause.sqlite_errorcode & 0xFF == sqlite3.SQLITE_READONLY
        )
