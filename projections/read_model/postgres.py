"""The read model in the PostgreSQL database of the events; its twin is `sqlite.py`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, ClassVar, Final, LiteralString

import psycopg
from eventsourcing.persistence import OperationalError
from psycopg.rows import DictRow

from domain.job.keys import agent_key
from domain.log.connections.postgres import PostgresDatastore
from domain.log.connections.postgres_prepared import Prepared
from domain.log.parameters import as_json
from domain.log.postgres import PostgresRecorder
from domain.log.reading.postgres import within_bytes
from domain.log.schema.postgres import PostgresCursor, PostgresPart
from domain.log.schema.steps import Part, Step, each
from domain.log.stored import Stored
from projections.read_model.contract import (
    GONE,
    MAX_SIGHTED,
    MAX_SIGHTED_BYTES,
    SHAPE,
    AttentionFilter,
    Changes,
    DueRow,
    Edition,
    JobFilter,
    PositionMoved,
    Row,
    SetAside,
    Sighting,
    ViewSnapshot,
    WakeUps,
    sightings,
)
from projections.read_model.postgres_lookup import Lookup, bigint, text
from projections.read_model.tables import Tables

TABLES: Final = Tables(
    (
        "milepost_instances",
        "milepost_timelines",
        "milepost_set_aside",
        "milepost_view_snapshots",
    )
)
"""The tables of rows. A rebuild makes new ones of all of them."""
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
         attention_from timestamptz) WITH (fillfactor = 70)""",
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
     WHERE attrelid = to_regclass('milepost_read_model') AND NOT attisdropped
"""
SELECT_CAN_BE_DUE: LiteralString = """
    SELECT count(*) = 1 AS can_be_due FROM pg_attribute
     WHERE attrelid = to_regclass('milepost_instances') AND attname = 'look_at'
"""


def _make(cursor: PostgresCursor) -> None:
    [row] = cursor.execute(SELECT_IS_OLDER).fetchall()
    each(*(UPGRADE if row["is_older"] else ()), CREATE_EDITIONS, *CREATE)(cursor)
    # The rows of an older release lack a column, and the rebuild makes tables that have it.
    [row] = cursor.execute(SELECT_CAN_BE_DUE).fetchall()
    each(*(INDEX if row["can_be_due"] else INDEX[:-2]))(cursor)


CREATE_NOTES: LiteralString = """
    CREATE TABLE IF NOT EXISTS milepost_notes (
      name text PRIMARY KEY,
      text text NOT NULL)
"""
# Not `TABLES.names`, which grows with later releases: a released step never changes.
STEP_1_MAKES = (
    "milepost_read_model.generation",
    "milepost_instances",
    "milepost_timelines",
    "milepost_set_aside",
    "milepost_view_snapshots",
)
PART: PostgresPart = Part(
    "read model",
    (Step(1, STEP_1_MAKES, _make), Step(2, ("milepost_notes",), each(CREATE_NOTES))),
)
BEGIN_EDITION: LiteralString = """
    INSERT INTO milepost_read_model
    SELECT 'served', %s, 0, COALESCE(MAX(generation) + 1, 0) FROM milepost_read_model
    ON CONFLICT (tables) DO NOTHING
"""
SELECT_EDITION: LiteralString = """
    SELECT shape, position, generation FROM milepost_read_model WHERE tables = 'served'
"""
# LATERAL and OFFSET 0: the plan uses the indexes, also if it was made when the tables were small.
SELECT_DOCUMENTS: dict[str, LiteralString] = {
    "instances": """
        SELECT stored.job_id, stored.document
          FROM json_array_elements_text(%s::json) AS wanted (job_id)
         CROSS JOIN LATERAL (
               SELECT job_id, document FROM milepost_instances
                WHERE job_id = wanted.job_id OFFSET 0) AS stored
    """,
}
SELECT_DOCUMENTS["timelines"] = SELECT_DOCUMENTS["instances"].replace("instances", "timelines")
# The commit does not wait for the disk: rows that a crash loses are folded again from the events.
BEGIN = "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL synchronous_commit = off"
MOVE: LiteralString = """
    UPDATE milepost_read_model SET position = %s
     WHERE tables = 'served' AND position = %s AND shape = %s AND generation = %s
"""
# All rows are one JSON text: the driver adapts one string for any number of rows.
UPSERT_INSTANCES = """
    INSERT INTO milepost_instances (
      job_id, version, document, first_position, agent_id, user_id, status, current_step,
      due_at, unresponsive_at, look_at, attention_rank, attention_from)
    SELECT * FROM json_to_recordset(%s::json) AS row (
           job_id text, version bigint, document text, first_position bigint, agent_id text,
           user_id text, status text, current_step text,
           due_at timestamptz, unresponsive_at timestamptz, look_at timestamptz,
           attention_rank integer, attention_from timestamptz)
    ON CONFLICT (job_id) DO UPDATE SET
      version = excluded.version, document = excluded.document,
      first_position = excluded.first_position, agent_id = excluded.agent_id,
      user_id = excluded.user_id, status = excluded.status,
      current_step = excluded.current_step, due_at = excluded.due_at,
      unresponsive_at = excluded.unresponsive_at, look_at = excluded.look_at,
      attention_rank = excluded.attention_rank, attention_from = excluded.attention_from
"""
UPSERT_TIMELINES = """
    INSERT INTO milepost_timelines
    SELECT * FROM json_to_recordset(%s::json) AS row (job_id text, version bigint, document text)
    ON CONFLICT (job_id) DO UPDATE SET version = excluded.version, document = excluded.document
"""
UPSERT_SET_ASIDE = """
    INSERT INTO milepost_set_aside
    SELECT * FROM json_to_recordset(%s::json) AS row (
           position bigint, job_id text, version bigint, topic text, error text, view text)
    ON CONFLICT (position, view) DO UPDATE SET error = excluded.error
"""
FORGET_SET_ASIDE = """
    DELETE FROM milepost_set_aside WHERE job_id IN (SELECT json_array_elements_text(%s::json))
"""
FORGET_SNAPSHOTS = """
    DELETE FROM milepost_view_snapshots
     WHERE job_id IN (SELECT json_array_elements_text(%s::json))
"""
UPSERT_SNAPSHOTS = """
    INSERT INTO milepost_view_snapshots
    SELECT * FROM json_to_recordset(%s::json) AS row (
           job_id text, view text, version bigint, recorded_at timestamptz, document text)
    ON CONFLICT (job_id, view, version) DO UPDATE SET
      recorded_at = excluded.recorded_at, document = excluded.document
"""
APPLIED: dict[LiteralString, LiteralString] = {
    "move": MOVE,
    "instances": UPSERT_INSTANCES,
    "timelines": UPSERT_TIMELINES,
    "forget_set_aside": FORGET_SET_ASIDE,
    "set_aside": UPSERT_SET_ASIDE,
    "forget_snapshots": FORGET_SNAPSHOTS,
    "snapshots": UPSERT_SNAPSHOTS,
}
SELECT_SNAPSHOT: LiteralString = """
    SELECT job_id, view, version, recorded_at, document FROM milepost_view_snapshots
     WHERE job_id = %s AND view = %s AND version <= %s
       AND (%s::timestamptz IS NULL OR recorded_at <= %s)
       AND (SELECT shape FROM milepost_read_model WHERE tables = 'served') = '{shape}'
     ORDER BY version DESC LIMIT 1
"""
# The + 0 forbids the index on positions: the user's jobs have fewer events than the whole log.
SELECT_EVENTS_OF = within_bytes(
    """
    SELECT e.notification_id, e.originator_id, e.originator_version, e.topic, e.state
      FROM milepost_read_model AS reached
     CROSS JOIN LATERAL (SELECT job_id FROM milepost_instances WHERE user_id = %s OFFSET 0) AS own
     CROSS JOIN LATERAL (
           SELECT originator_id, originator_version, topic, state, notification_id
             FROM milepost_events
            WHERE originator_id = own.job_id AND notification_id + 0 > %s
              AND notification_id + 0 <= reached.position
            ORDER BY originator_version LIMIT %s) AS e
     WHERE reached.tables = 'served'
     ORDER BY e.notification_id LIMIT %s
    """,
    "notification_id",
)
# A row of another shape is ignored: then the tail begins with the job's first event.
SIGHT: dict[str, LiteralString] = {
    "instances": f"""
        SELECT wanted.job_id, stored.document,
               e.originator_version, e.topic, e.state, e.notification_id
          FROM (SELECT %s AS job_id) AS wanted
          LEFT JOIN LATERAL (
               SELECT version, document FROM milepost_instances
                WHERE job_id = wanted.job_id
                  AND (SELECT shape FROM milepost_read_model WHERE tables = 'served') = '{{shape}}'
               OFFSET 0) AS stored ON true
          LEFT JOIN LATERAL (
               SELECT originator_version, topic, notification_id,
                      CASE WHEN octet_length(state) <= {MAX_SIGHTED_BYTES} THEN state END AS state
                 FROM milepost_events
                WHERE originator_id = wanted.job_id
                  AND originator_version > COALESCE(stored.version, 0)
                ORDER BY originator_version LIMIT {MAX_SIGHTED}) AS e ON true
    """,
}
SIGHT["timelines"] = SIGHT["instances"].replace("instances", "timelines")
SIGHT_AGENTS: LiteralString = (
    SIGHT["instances"]
    .replace("SELECT wanted.job_id,", "SELECT wanted.name, wanted.job_id,")
    .replace(
        "(SELECT %s AS job_id)",
        """(SELECT asked.name, key.job_id
              FROM json_array_elements_text(%s::json) AS asked (name)
              JOIN LATERAL (
                   SELECT job_id FROM milepost_keys WHERE name = asked.name OFFSET 0
                   ) AS key ON true)""",
    )
)
SELECT_INSTANCES: LiteralString = """
    SELECT job_id, version, document FROM milepost_instances
     WHERE {filters} ORDER BY first_position DESC LIMIT %s
"""
FILTERS: dict[str, LiteralString] = {
    "agent_id": "agent_id = %s",
    "user_id": "user_id = %s",
    "status": "status = %s",
    "before": "first_position < %s",
}
SELECT_COUNTS = "SELECT status, COUNT(*) AS count FROM milepost_instances GROUP BY status"
SELECT_ATTENTION: LiteralString = """
    SELECT job_id, version, document FROM milepost_instances
     WHERE attention_rank IS NOT NULL AND attention_from <= %s AND {filters}
     ORDER BY attention_rank, first_position LIMIT %s
"""
AFTER: LiteralString = "(attention_rank, first_position) > (%s, %s)"
COUNT_ATTENTION: LiteralString = """
    SELECT attention_rank, COUNT(*) AS count FROM milepost_instances
     WHERE attention_rank IS NOT NULL AND attention_from <= %s GROUP BY attention_rank
"""
# In the order of the index, so that reading ends with the last wanted row. A job that has ended has
# no look_at, and that of a job that is alive is in the future.
SELECT_DUE = """
    SELECT job_id, version, document, look_at FROM milepost_instances
     WHERE look_at < %s AND due_at < %s AND (look_at, job_id) > (%s::timestamptz, %s)
     ORDER BY look_at, job_id LIMIT %s
"""
SELECT_PROVISIONING = (
    "SELECT COUNT(*) AS count FROM milepost_instances WHERE status = 'provisioning'"
)
SELECT_SILENT = """
    SELECT COUNT(*) AS count FROM milepost_instances
     WHERE look_at <= %s AND unresponsive_at <= %s
       AND (%s::timestamptz IS NULL OR unresponsive_at > %s)
"""
SELECT_NOTE = "SELECT text FROM milepost_notes WHERE name = %s"
UPSERT_NOTE = """
    INSERT INTO milepost_notes VALUES (%s, %s)
    ON CONFLICT (name) DO UPDATE SET text = excluded.text
"""
SELECT_SET_ASIDE = """
    SELECT position, job_id, version, topic, error, view
      FROM milepost_set_aside ORDER BY position DESC, view LIMIT %s
"""
LOCK_PROJECTOR = "SELECT pg_try_advisory_lock(hashtext('milepost projector'))"
LISTEN = "LISTEN milepost_events"


class PostgresReadModel:
    """Store rows beside the events; with `rebuilt`, in the tables of a rebuild."""

    part: ClassVar = PART

    def __init__(
        self, recorder: PostgresRecorder, shape: LiteralString = SHAPE, *, rebuilt: bool = False
    ) -> None:
        self.shape: LiteralString = shape
        self.log = recorder
        self._datastore: PostgresDatastore = recorder.datastore
        self._on: Callable[[LiteralString], LiteralString] = TABLES.renamed if rebuilt else str
        self._prefix: LiteralString = "milepost_rebuild" if rebuilt else "milepost_apply"
        self._applied = Prepared(
            {f"{self._prefix}_{name}": self._on(applied) for name, applied in APPLIED.items()}
        )
        columns = (text, text, bigint, text, bytes, bigint)
        self._sight = {
            view: Lookup(self._datastore, f"sight_{view}", sight(statement, shape), columns)
            for view, statement in SIGHT.items()
        }
        self._sight_agents = Lookup(
            self._datastore, "sight_agents", sight(SIGHT_AGENTS, shape), (text, *columns)
        )

    def prepare(self) -> None:
        """See `ReadModel.prepare`."""
        if not self._rows(SELECT_EDITION):
            with self._datastore.transaction(commit=True) as cursor:
                cursor.execute(BEGIN_EDITION, (self.shape,))

    def edition(self) -> Edition:
        """See `ReadModel.edition`."""
        edition = self._edition()
        return Edition(edition["shape"], edition["generation"])

    def rebuilt_position(self) -> int | None:
        """See `ReadModel.rebuilt_position`."""
        rows = self._rows(TABLES.renamed(SELECT_EDITION))
        return rows[0]["position"] if rows else None

    def position(self) -> int:
        """See `ReadModel.position`."""
        return int(self._edition()["position"])

    def _edition(self) -> DictRow:
        rows = self._rows(SELECT_EDITION)
        if not rows:
            raise PositionMoved(GONE)
        return rows[0]

    def documents(self, view: str, job_ids: Collection[str]) -> Mapping[str, str]:
        """See `ReadModel.documents`."""
        rows = self._rows(SELECT_DOCUMENTS[view], as_json(job_ids))
        return {row["job_id"]: row["document"] for row in rows}

    def apply(self, changes: Changes) -> None:
        """See `ReadModel.apply`."""
        parts = [BEGIN, self._execute("move", parameters=4)]
        parameters: list[Any] = [changes.position, changes.since, self.shape, changes.generation]
        for name, rows in (
            ("instances", changes.instances),
            ("timelines", changes.timelines),
            ("forget_set_aside", changes.tried_again),
            ("set_aside", changes.set_aside),
            ("forget_snapshots", changes.tried_again),
            ("snapshots", changes.snapshots),
        ):
            if rows:
                parts.append(self._execute(name))
                parameters.append(as_json(rows))
        with self._datastore.spelled_out() as cursor:
            text = ";".join(parts)
            self._applied.run(cursor, lambda: cursor.execute(text, parameters))
            for _ in BEGIN.split(";"):
                cursor.nextset()
            if cursor.rowcount != 1:
                raise PositionMoved
            cursor.execute("COMMIT")

    def _execute(self, name: str, parameters: int = 1) -> str:
        return f"EXECUTE {self._prefix}_{name}({', '.join(['%s'] * parameters)})"

    def sight(self, view: str, job_id: str) -> Sighting:
        """See `ReadModel.sight`."""
        return Sighting.of(self._sight[view].rows(job_id))

    def snapshot(
        self, view: str, job_id: str, until: int, recorded_by: datetime | None = None
    ) -> ViewSnapshot | None:
        """See `ReadModel.snapshot`."""
        statement = sight(SELECT_SNAPSHOT, self.shape)
        for row in self._rows(statement, job_id, view, until, recorded_by, recorded_by):
            return ViewSnapshot(**row)
        return None

    def events_of(self, user_id: str, after: int, limit: int) -> Sequence[Stored]:
        """See `ReadModel.events_of`."""
        return self._datastore.stored(SELECT_EVENTS_OF, (user_id, after, limit, limit))

    def sight_agents(self, agent_ids: Sequence[str]) -> Sequence[Sighting | None]:
        """See `ReadModel.sight_agents`."""
        names = [agent_key(agent_id) for agent_id in agent_ids]
        return sightings(names, self._sight_agents.rows(as_json(names)))

    def instances(self, wanted: JobFilter) -> Sequence[Row]:
        """See `ReadModel.instances`."""
        given = {name: value for name in FILTERS if (value := getattr(wanted, name)) is not None}
        filters = " AND ".join(FILTERS[name] for name in given) or "TRUE"
        statement = SELECT_INSTANCES.format(filters=filters)
        rows = self._rows(statement, *given.values(), wanted.limit)
        return [Row(**row) for row in rows]

    def attention(self, wanted: AttentionFilter) -> Sequence[Row]:
        """See `ReadModel.attention`."""
        names = ("agent_id", "user_id", "status")
        given = {name: value for name in names if (value := getattr(wanted, name)) is not None}
        filters = " AND ".join(
            [FILTERS[name] for name in given] + ([AFTER] if wanted.after else [])
        )
        statement = SELECT_ATTENTION.format(filters=filters or "TRUE")
        parameters = (wanted.now, *given.values(), *(wanted.after or ()), wanted.limit)
        return [Row(**row) for row in self._rows(statement, *parameters)]

    def attention_counts(self, now: datetime) -> Mapping[int, int]:
        """See `ReadModel.attention_counts`."""
        return {row["attention_rank"]: row["count"] for row in self._rows(COUNT_ATTENTION, now)}

    def counts(self) -> Mapping[str, int]:
        """See `ReadModel.counts`."""
        return {row["status"]: row["count"] for row in self._rows(SELECT_COUNTS)}

    def due(self, before: datetime, after: DueRow | None, limit: int) -> Sequence[DueRow]:
        """See `ReadModel.due`."""
        place = (after.look_at.isoformat(), after.job_id) if after else ("-infinity", "")
        rows = self._rows(SELECT_DUE, before, before, *place, limit)
        return [DueRow(**row) for row in rows]

    def provisioning(self) -> int:
        """See `ReadModel.provisioning`."""
        return int(self._rows(SELECT_PROVISIONING)[0]["count"])

    def silent(self, until: datetime, since: datetime | None = None) -> int:
        """See `ReadModel.silent`."""
        return int(self._rows(SELECT_SILENT, until, until, since, since)[0]["count"])

    def set_aside(self, limit: int = 100) -> Sequence[SetAside]:
        """See `ReadModel.set_aside`."""
        return [SetAside(**row) for row in self._rows(SELECT_SET_ASIDE, limit)]

    def note(self, name: str) -> str | None:
        """See `ReadModel.note`."""
        rows = self._rows(SELECT_NOTE, name)
        return rows[0]["text"] if rows else None

    def keep_note(self, name: str, text: str) -> None:
        """See `ReadModel.keep_note`."""
        with self._datastore.transaction(commit=True) as cursor:
            cursor.execute(UPSERT_NOTE, (name, text))

    def wake(self) -> None:
        """Do nothing: every append sends a NOTIFY."""

    @contextmanager
    def projector_lock(self) -> Iterator[WakeUps | None]:
        """See `ReadModel.projector_lock`."""
        # A session lock on a connection of its own: the server releases it when the process ends.
        try:
            with psycopg.connect(**self._datastore.conninfo, autocommit=True) as connection:
                locked = connection.execute(LOCK_PROJECTOR).fetchone()
                if not (locked and locked[0]):
                    yield None
                    return
                connection.execute(LISTEN)
                yield _WakeUps(connection)
        except psycopg.Error as error:
            raise OperationalError(str(error)) from error

    def _rows(self, statement: LiteralString, *parameters: Any) -> list[DictRow]:
        return self._datastore.rows(self._on(statement), parameters)


class _WakeUps:
    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection

    def wait(self, seconds: float) -> None:
        """See `WakeUps.wait`."""
        for _ in self._connection.notifies(timeout=seconds, stop_after=1):
            pass


def sight(statement: LiteralString, shape: LiteralString) -> LiteralString:
    """Return the statement for a release of this shape."""
    return statement.replace("{shape}", shape)
