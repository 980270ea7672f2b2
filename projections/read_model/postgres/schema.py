"""The tables of the read model, and the steps that make them."""

from __future__ import annotations

from typing import LiteralString

from domain.log.schema.postgres import PostgresCursor, PostgresPart
from domain.log.schema.steps import Part, Step, each
from projections.read_model.tables import STEP_1_MAKES

CREATE_EDITIONS: LiteralString = """
    CREATE TABLE IF NOT EXISTS milepost_read_model (
      tables text PRIMARY KEY,
      shape text NOT NULL,
      position bigint NOT NULL,
      generation bigint NOT NULL)
"""

# No index has a column that changes with every callback: `look_at` changes once in five minutes,
# `attention_rank` with the status.
# And pages have free room. So PostgreSQL updates a row in its page (HOT) and changes no index.
CREATE: tuple[LiteralString, ...] = (
    """CREATE TABLE IF NOT EXISTS milepost_instances (
         job_id text PRIMARY KEY,
         version bigint NOT NULL,
         document text NOT NULL,
         first_position bigint NOT NULL,
         agent_id text,
         user_id text,
         status text NOT NULL,
         current_step text,
         due_at timestamptz,
         unresponsive_at timestamptz,
         look_at timestamptz,
         attention_rank integer,
         attention_from timestamptz,
         workflow text NOT NULL DEFAULT '') WITH (fillfactor = 70)""",
    """CREATE TABLE IF NOT EXISTS milepost_timelines (
         job_id text PRIMARY KEY,
         version bigint NOT NULL,
         document text NOT NULL) WITH (fillfactor = 70)""",
    """CREATE TABLE IF NOT EXISTS milepost_set_aside (
         position bigint NOT NULL,
         job_id text NOT NULL,
         version bigint NOT NULL,
         topic text NOT NULL,
         error text NOT NULL,
         view text NOT NULL,
         PRIMARY KEY (position, view))""",
    """CREATE TABLE IF NOT EXISTS milepost_view_snapshots (
         job_id text NOT NULL,
         view text NOT NULL,
         version bigint NOT NULL,
         recorded_at timestamptz NOT NULL,
         document text NOT NULL,
         PRIMARY KEY (job_id, view, version))""",
)
INDEX: tuple[LiteralString, ...] = (
    """CREATE INDEX IF NOT EXISTS milepost_instances_newest
         ON milepost_instances (first_position)""",
    """CREATE INDEX IF NOT EXISTS milepost_instances_agent
         ON milepost_instances (agent_id, first_position)""",
    """CREATE INDEX IF NOT EXISTS milepost_instances_user
         ON milepost_instances (user_id, first_position)""",
    """CREATE INDEX IF NOT EXISTS milepost_instances_status
         ON milepost_instances (status, first_position)""",
    """CREATE INDEX IF NOT EXISTS milepost_instances_look
         ON milepost_instances (look_at, job_id)""",
    """CREATE INDEX IF NOT EXISTS milepost_instances_attention
         ON milepost_instances (attention_rank, first_position) WHERE attention_rank IS NOT NULL""",
    """CREATE INDEX IF NOT EXISTS milepost_instances_workflow
         ON milepost_instances (workflow, first_position)""",
)
UPGRADE: tuple[LiteralString, ...] = (
    "ALTER TABLE milepost_read_model RENAME TO milepost_read_model_before",
    CREATE_EDITIONS,
    """INSERT INTO milepost_read_model
       SELECT 'served', shape, position, 0 FROM milepost_read_model_before""",
    "DROP TABLE milepost_read_model_before",
)
"""Adds generations to the table of an earlier release; the position stays."""
SELECT_IS_OLDER: LiteralString = """
    SELECT count(*) FILTER (WHERE attname = 'shape') = 1
       AND count(*) FILTER (WHERE attname = 'generation') = 0 AS is_older
      FROM pg_attribute
     WHERE attrelid = to_regclass('milepost_read_model')::oid AND NOT attisdropped
"""
SELECT_IS_WHOLE: LiteralString = """
    SELECT count(*) = 1 AS is_whole FROM pg_attribute
     WHERE attrelid = to_regclass('milepost_instances')::oid AND attname = 'workflow'
"""


def _make(cursor: PostgresCursor) -> None:
    [row] = cursor.execute(SELECT_IS_OLDER).fetchall()
    each(*(UPGRADE if row["is_older"] else ()), CREATE_EDITIONS, *CREATE)(cursor)
    # The rows of an older release lack columns, and the rebuild makes tables that have it.
    [row] = cursor.execute(SELECT_IS_WHOLE).fetchall()
    each(*(INDEX if row["is_whole"] else INDEX[:-3]))(cursor)


CREATE_NOTES: LiteralString = """
    CREATE TABLE IF NOT EXISTS milepost_notes (
      name text PRIMARY KEY,
      text text NOT NULL)
"""


CREATE_MACHINES: LiteralString = """
    CREATE TABLE IF NOT EXISTS milepost_machines (
      machine text NOT NULL,
      job_id text NOT NULL,
      PRIMARY KEY (machine, job_id),
      UNIQUE (job_id, machine))
"""
CREATE_ROWS: tuple[LiteralString, ...] = (*CREATE, CREATE_MACHINES)
"""Makes all tables of rows: those of a rebuild, too."""

PART: PostgresPart = Part(
    "read model",
    (
        Step(1, STEP_1_MAKES, _make),
        Step(2, ("milepost_notes",), each(CREATE_NOTES)),
        Step(3, ("milepost_machines",), each(CREATE_MACHINES)),
    ),
)
