"""The tables of the read model, and the steps that make them."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Final, LiteralString

from domain.log.schema.sqlite import SQLitePart
from domain.log.schema.steps import Part, Step, each
from projections.read_model.tables import STEP_1_MAKES

CREATE_EDITIONS = """
    CREATE TABLE IF NOT EXISTS milepost_read_model (
      tables TEXT PRIMARY KEY,
      shape TEXT NOT NULL,
      position INTEGER NOT NULL,
      generation INTEGER NOT NULL) WITHOUT ROWID
"""
CREATE: tuple[LiteralString, ...] = (
    """CREATE TABLE IF NOT EXISTS milepost_instances (
         job_id TEXT PRIMARY KEY,
         version INTEGER NOT NULL,
         document TEXT NOT NULL,
         first_position INTEGER NOT NULL,
         agent_id TEXT,
         user_id TEXT,
         status TEXT NOT NULL,
         current_step TEXT,
         due_at TEXT,
         unresponsive_at TEXT,
         look_at TEXT,
         attention_rank INTEGER,
         attention_from TEXT,
         workflow TEXT NOT NULL DEFAULT '') WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS milepost_timelines (
         job_id TEXT PRIMARY KEY,
         version INTEGER NOT NULL,
         document TEXT NOT NULL) WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS milepost_set_aside (
         position INTEGER NOT NULL,
         job_id TEXT NOT NULL,
         version INTEGER NOT NULL,
         topic TEXT NOT NULL,
         error TEXT NOT NULL,
         view TEXT NOT NULL,
         PRIMARY KEY (position, view)) WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS milepost_view_snapshots (
         job_id TEXT NOT NULL,
         view TEXT NOT NULL,
         version INTEGER NOT NULL,
         recorded_at TEXT NOT NULL,
         document TEXT NOT NULL,
         PRIMARY KEY (job_id, view, version))""",
)
INDEXED: Final[Mapping[str, str]] = {
    "newest": "first_position",
    "agent": "agent_id,first_position",
    "user": "user_id,first_position",
    "status": "status,first_position",
    "look": "look_at,job_id",
    "attention": "attention_rank,first_position",
    "workflow": "workflow,first_position",
}
"""The indexes of the instances: the columns of each, by the last part of its name."""
# SQLite cannot rename an index, and a rebuild gives its indexes new names: columns identify an
# index, not its name.
SELECT_INDEXED = """
    SELECT (SELECT group_concat(name) FROM (
            SELECT COALESCE(name, '?') AS name FROM pragma_index_info(list.name) ORDER BY seqno))
      FROM pragma_index_list('milepost_instances') AS list WHERE NOT list.partial
"""
SELECT_COLUMNS = "SELECT name FROM pragma_table_info('milepost_instances')"
UPGRADE: tuple[LiteralString, ...] = (
    "ALTER TABLE milepost_read_model RENAME TO milepost_read_model_before",
    CREATE_EDITIONS,
    """INSERT INTO milepost_read_model
       SELECT 'served', shape, position, 0 FROM milepost_read_model_before""",
    "DROP TABLE milepost_read_model_before",
)
"""Adds generations to the table of an earlier release; the position stays."""
SELECT_IS_OLDER = """
    SELECT EXISTS (SELECT 1 FROM pragma_table_info('milepost_read_model'))
       AND NOT EXISTS (SELECT 1 FROM pragma_table_info('milepost_read_model')
                        WHERE name = 'generation')
"""
# The generation that BEGIN_EDITION gives to tables that are not served yet.
SELECT_GENERATION = """
    SELECT COALESCE(MAX(generation) FILTER (WHERE tables = 'served'), MAX(generation) + 1, 0)
      FROM milepost_read_model
"""


def _make(cursor: sqlite3.Cursor) -> None:
    (is_older,) = cursor.execute(SELECT_IS_OLDER).fetchone()
    each(*(UPGRADE if is_older else ()), CREATE_EDITIONS, *CREATE)(cursor)
    (generation,) = cursor.execute(SELECT_GENERATION).fetchone()
    existing = {row[0] for row in cursor.execute(SELECT_INDEXED).fetchall()}
    # The rows of an older release lack a column, and the rebuild makes tables that have it.
    present = {row[0] for row in cursor.execute(SELECT_COLUMNS).fetchall()}
    for columns, statement in indexes("milepost_instances", generation).items():
        if columns not in existing and present.issuperset(columns.split(",")):
            cursor.execute(statement)


CREATE_NOTES: LiteralString = """
    CREATE TABLE IF NOT EXISTS milepost_notes (
      name TEXT PRIMARY KEY,
      text TEXT NOT NULL) WITHOUT ROWID
"""


# Constraints, and no index with a name: SQLite renames what it makes of them with the table.
CREATE_MACHINES: LiteralString = """
    CREATE TABLE IF NOT EXISTS milepost_machines (
      machine TEXT NOT NULL,
      job_id TEXT NOT NULL,
      PRIMARY KEY (machine, job_id),
      UNIQUE (job_id, machine)) WITHOUT ROWID
"""
CREATE_ROWS: tuple[LiteralString, ...] = (*CREATE, CREATE_MACHINES)
"""Makes all tables of rows: those of a rebuild, too."""

PART: SQLitePart = Part(
    "read model",
    (
        Step(1, STEP_1_MAKES, _make),
        Step(2, ("milepost_notes",), each(CREATE_NOTES)),
        Step(3, ("milepost_machines",), each(CREATE_MACHINES)),
    ),
)


def indexes(table: str, generation: int) -> Mapping[str, str]:
    """Return the statements that make the indexes of a generation's table, by their columns."""
    suffix = f"_{generation}" if generation else ""
    return {
        columns: f"CREATE INDEX milepost_instances_{name}{suffix} ON {table} ({columns})"
        for name, columns in INDEXED.items()
    }
