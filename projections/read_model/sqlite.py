"""The read model in the SQLite file of the events; its twin is `postgres.py`."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar, Final, LiteralString

import msgspec

from domain.job.keys import agent_key
from domain.log.connections.file_lock import file_lock
from domain.log.connections.sqlite import SQLiteDatastore
from domain.log.parameters import as_json, utc_text
from domain.log.reading.sqlite import STORED
from domain.log.schema.sqlite import SQLitePart
from domain.log.schema.steps import Part, Step, each
from domain.log.sqlite import SQLiteRecorder
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
    InstanceRow,
    JobFilter,
    PositionMoved,
    Row,
    SetAside,
    Sighting,
    ViewSnapshot,
    WakeUps,
    sightings,
)
from projections.read_model.doorbell import Doorbell
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
         attention_from TEXT) WITHOUT ROWID""",
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
# Not `TABLES.names`, which grows with later releases: a released step never changes.
STEP_1_MAKES = (
    "milepost_read_model.generation",
    "milepost_instances",
    "milepost_timelines",
    "milepost_set_aside",
    "milepost_view_snapshots",
)
PART: SQLitePart = Part(
    "read model",
    (Step(1, STEP_1_MAKES, _make), Step(2, ("milepost_notes",), each(CREATE_NOTES))),
)
BEGIN_EDITION: LiteralString = """
    INSERT INTO milepost_read_model
    SELECT 'served', ?, 0, COALESCE(MAX(generation) + 1, 0) FROM milepost_read_model WHERE TRUE
    ON CONFLICT (tables) DO NOTHING
"""
SELECT_EDITION: LiteralString = """
    SELECT shape, position, generation FROM milepost_read_model WHERE tables = 'served'
"""
# The generation that BEGIN_EDITION gives to tables that are not served yet.
SELECT_GENERATION = """
    SELECT COALESCE(MAX(generation) FILTER (WHERE tables = 'served'), MAX(generation) + 1, 0)
      FROM milepost_read_model
"""
SELECT_DOCUMENTS: dict[str, LiteralString] = {
    view: f"""
        SELECT job_id, document FROM milepost_{view}
         WHERE job_id IN (SELECT value FROM json_each(?))
    """
    for view in ("instances", "timelines")
}
MOVE: LiteralString = """
    UPDATE milepost_read_model SET position = ?
     WHERE tables = 'served' AND position = ? AND shape = ? AND generation = ?
"""
UPSERT_INSTANCE: LiteralString = """
    INSERT INTO milepost_instances VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (job_id) DO UPDATE SET
      version = excluded.version, document = excluded.document,
      first_position = excluded.first_position, agent_id = excluded.agent_id,
      user_id = excluded.user_id, status = excluded.status,
      current_step = excluded.current_step, due_at = excluded.due_at,
      unresponsive_at = excluded.unresponsive_at, look_at = excluded.look_at,
      attention_rank = excluded.attention_rank, attention_from = excluded.attention_from
"""
UPSERT_TIMELINE: LiteralString = """
    INSERT INTO milepost_timelines VALUES (?, ?, ?)
    ON CONFLICT (job_id) DO UPDATE SET version = excluded.version, document = excluded.document
"""
UPSERT_SET_ASIDE: LiteralString = """
    INSERT INTO milepost_set_aside VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT (position, view) DO UPDATE SET error = excluded.error
"""
FORGET_SET_ASIDE: LiteralString = "DELETE FROM milepost_set_aside WHERE job_id = ?"
FORGET_SNAPSHOTS: LiteralString = "DELETE FROM milepost_view_snapshots WHERE job_id = ?"
UPSERT_SNAPSHOT: LiteralString = """
    INSERT INTO milepost_view_snapshots VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (job_id, view, version) DO UPDATE SET
      recorded_at = excluded.recorded_at, document = excluded.document
"""
SELECT_SNAPSHOT = """
    SELECT version, recorded_at, document FROM milepost_view_snapshots
     WHERE job_id = ? AND view = ? AND version <= ? AND (? IS NULL OR recorded_at <= ?)
       AND (SELECT shape FROM milepost_read_model WHERE tables = 'served') = ?
     ORDER BY version DESC LIMIT 1
"""
# The + forbids the index on positions: the user's jobs have fewer events than the whole log.
SELECT_EVENTS_OF = f"""
    SELECT {STORED} FROM milepost_events
     WHERE notification_id IN (
           SELECT e.notification_id
             FROM milepost_instances AS own
            CROSS JOIN milepost_events AS e ON e.originator_id = own.job_id
            WHERE own.user_id = ? AND +e.notification_id > ?
              AND +e.notification_id <= (
                   SELECT position FROM milepost_read_model WHERE tables = 'served')
            ORDER BY e.notification_id LIMIT ?)
     ORDER BY notification_id
"""
# A row of another shape is ignored: then the tail begins with the job's first event.
SIGHT: dict[str, LiteralString] = {
    view: f"""
        SELECT wanted.job_id, stored.document,
               e.originator_version, e.topic,
               iif(length(e.state) <= {MAX_SIGHTED_BYTES}, e.state, NULL), e.notification_id
          FROM (SELECT ? AS job_id) AS wanted
          LEFT JOIN milepost_{view} AS stored
            ON stored.job_id = wanted.job_id
           AND (SELECT shape FROM milepost_read_model WHERE tables = 'served') = ?
          LEFT JOIN milepost_events AS e
            ON e.originator_id = wanted.job_id
           AND e.originator_version > COALESCE(stored.version, 0)
           AND e.originator_version <= COALESCE(stored.version, 0) + {MAX_SIGHTED}
         ORDER BY e.originator_version
    """
    for view in ("instances", "timelines")
}
SIGHT_AGENTS: LiteralString = (
    SIGHT["instances"]
    .replace("SELECT wanted.job_id,", "SELECT wanted.name, wanted.job_id,")
    .replace(
        "(SELECT ? AS job_id)",
        """(SELECT name, job_id FROM milepost_keys
             WHERE name IN (SELECT value FROM json_each(?)))""",
    )
    .replace("ORDER BY e.originator_version", "ORDER BY wanted.name, e.originator_version")
)
SELECT_INSTANCES: LiteralString = """
    SELECT job_id, version, document FROM milepost_instances
     WHERE {filters} ORDER BY first_position DESC LIMIT ?
"""
FILTERS: dict[str, LiteralString] = {
    "agent_id": "agent_id = ?",
    "user_id": "user_id = ?",
    "status": "status = ?",
    "before": "first_position < ?",
}
SELECT_COUNTS = "SELECT status, COUNT(*) FROM milepost_instances GROUP BY status"
SELECT_ATTENTION: LiteralString = """
    SELECT job_id, version, document FROM milepost_instances
     WHERE attention_rank IS NOT NULL AND attention_from <= ? AND {filters}
     ORDER BY attention_rank, first_position LIMIT ?
"""
AFTER: LiteralString = "(attention_rank, first_position) > (?, ?)"
COUNT_ATTENTION: LiteralString = """
    SELECT attention_rank, COUNT(*) AS count FROM milepost_instances
     WHERE attention_rank IS NOT NULL AND attention_from <= ? GROUP BY attention_rank
"""
# In the order of the index, so that reading ends with the last wanted row. A job that has ended has
# no look_at, and that of a job that is alive is in the future.
SELECT_DUE = """
    SELECT job_id, version, document, look_at FROM milepost_instances
     WHERE look_at < ?1 AND due_at < ?1 AND (look_at, job_id) > (?2, ?3)
     ORDER BY look_at, job_id LIMIT ?4
"""
SELECT_PROVISIONING = (
    "SELECT COUNT(*) AS count FROM milepost_instances WHERE status = 'provisioning'"
)
SELECT_SILENT = """
    SELECT COUNT(*) FROM milepost_instances
     WHERE look_at <= ?1 AND unresponsive_at <= ?1 AND (?2 IS NULL OR unresponsive_at > ?2)
"""
SELECT_NOTE = "SELECT text FROM milepost_notes WHERE name = ?"
UPSERT_NOTE = """
    INSERT INTO milepost_notes VALUES (?, ?)
    ON CONFLICT (name) DO UPDATE SET text = excluded.text
"""
SELECT_SET_ASIDE = """
    SELECT position, job_id, version, topic, error, view
      FROM milepost_set_aside ORDER BY position DESC, view LIMIT ?
"""


class SQLiteReadModel:
    """Store rows beside the events; with `rebuilt`, in the tables of a rebuild."""

    part: ClassVar = PART

    def __init__(
        self, recorder: SQLiteRecorder, shape: str = SHAPE, *, rebuilt: bool = False
    ) -> None:
        self.shape = shape
        self.log = recorder
        self._datastore: SQLiteDatastore = recorder.datastore
        self._on: Callable[[LiteralString], LiteralString] = TABLES.renamed if rebuilt else str
        # SQLite cannot LISTEN, so writers wake the projector through a named pipe.
        self._bell = Doorbell(Path(f"{self._datastore.pool.db_name}-bell"))

    def prepare(self) -> None:
        """See `ReadModel.prepare`."""
        if not self._rows(SELECT_EDITION):
            with self._datastore.writing() as cursor:
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

    def _edition(self) -> sqlite3.Row:
        rows: list[sqlite3.Row] = self._rows(SELECT_EDITION)
        if not rows:
            raise PositionMoved(GONE)
        return rows[0]

    def documents(self, view: str, job_ids: Collection[str]) -> Mapping[str, str]:
        """See `ReadModel.documents`."""
        wanted = as_json(list(job_ids))
        return {row[0]: row[1] for row in self._rows(SELECT_DOCUMENTS[view], wanted)}

    def apply(self, changes: Changes) -> None:
        """See `ReadModel.apply`."""
        with self._datastore.writing() as cursor:
            move = (changes.position, changes.since, self.shape, changes.generation)
            if cursor.execute(self._on(MOVE), move).rowcount != 1:
                raise PositionMoved
            for statement, rows in (
                (UPSERT_INSTANCE, map(_instance_columns, changes.instances)),
                (UPSERT_TIMELINE, map(msgspec.structs.astuple, changes.timelines)),
                (FORGET_SET_ASIDE, ((job_id,) for job_id in changes.tried_again)),
                (UPSERT_SET_ASIDE, map(msgspec.structs.astuple, changes.set_aside)),
                (FORGET_SNAPSHOTS, ((job_id,) for job_id in changes.tried_again)),
                (UPSERT_SNAPSHOT, map(_snapshot_columns, changes.snapshots)),
            ):
                cursor.executemany(self._on(statement), rows)

    def sight(self, view: str, job_id: str) -> Sighting:
        """See `ReadModel.sight`."""
        return Sighting.of(self._rows(SIGHT[view], job_id, self.shape))

    def snapshot(
        self, view: str, job_id: str, until: int, recorded_by: datetime | None = None
    ) -> ViewSnapshot | None:
        """See `ReadModel.snapshot`."""
        latest = utc_text(recorded_by) if recorded_by else None
        for row in self._rows(SELECT_SNAPSHOT, job_id, view, until, latest, latest, self.shape):
            version, recorded_at, document = row
            return ViewSnapshot(
                job_id, view, version, datetime.fromisoformat(recorded_at), document
            )
        return None

    def events_of(self, user_id: str, after: int, limit: int) -> Sequence[Stored]:
        """See `ReadModel.events_of`."""
        return self._datastore.stored(SELECT_EVENTS_OF, (user_id, after, limit))

    def sight_agents(self, agent_ids: Sequence[str]) -> Sequence[Sighting | None]:
        """See `ReadModel.sight_agents`."""
        names = [agent_key(agent_id) for agent_id in agent_ids]
        return sightings(names, self._rows(SIGHT_AGENTS, as_json(names), self.shape))

    def instances(self, wanted: JobFilter) -> Sequence[Row]:
        """See `ReadModel.instances`."""
        given = {name: value for name in FILTERS if (value := getattr(wanted, name)) is not None}
        filters = " AND ".join(FILTERS[name] for name in given) or "TRUE"
        statement = SELECT_INSTANCES.format(filters=filters)
        return [Row(*row) for row in self._rows(statement, *given.values(), wanted.limit)]

    def attention(self, wanted: AttentionFilter) -> Sequence[Row]:
        """See `ReadModel.attention`."""
        names = ("agent_id", "user_id", "status")
        given = {name: value for name in names if (value := getattr(wanted, name)) is not None}
        filters = " AND ".join(
            [FILTERS[name] for name in given] + ([AFTER] if wanted.after else [])
        )
        statement = SELECT_ATTENTION.format(filters=filters or "TRUE")
        parameters = (utc_text(wanted.now), *given.values(), *(wanted.after or ()), wanted.limit)
        return [Row(*row) for row in self._rows(statement, *parameters)]

    def attention_counts(self, now: datetime) -> Mapping[int, int]:
        """See `ReadModel.attention_counts`."""
        return {row[0]: row[1] for row in self._rows(COUNT_ATTENTION, utc_text(now))}

    def counts(self) -> Mapping[str, int]:
        """See `ReadModel.counts`."""
        return {row[0]: row[1] for row in self._rows(SELECT_COUNTS)}

    def due(self, before: datetime, after: DueRow | None, limit: int) -> Sequence[DueRow]:
        """See `ReadModel.due`."""
        place = (utc_text(after.look_at), after.job_id) if after else ("", "")
        return [
            DueRow(job_id, version, document, datetime.fromisoformat(look_at))
            for job_id, version, document, look_at in self._rows(
                SELECT_DUE, utc_text(before), *place, limit
            )
        ]

    def provisioning(self) -> int:
        """See `ReadModel.provisioning`."""
        return int(self._rows(SELECT_PROVISIONING)[0]["count"])

    def silent(self, until: datetime, since: datetime | None = None) -> int:
        """See `ReadModel.silent`."""
        after = utc_text(since) if since else None
        return int(self._rows(SELECT_SILENT, utc_text(until), after)[0][0])

    def set_aside(self, limit: int = 100) -> Sequence[SetAside]:
        """See `ReadModel.set_aside`."""
        return [SetAside(*row) for row in self._rows(SELECT_SET_ASIDE, limit)]

    def note(self, name: str) -> str | None:
        """See `ReadModel.note`."""
        rows = self._rows(SELECT_NOTE, name)
        return rows[0]["text"] if rows else None

    def keep_note(self, name: str, text: str) -> None:
        """See `ReadModel.keep_note`."""
        with self._datastore.writing() as cursor:
            cursor.execute(UPSERT_NOTE, (name, text))

    def wake(self) -> None:
        """See `ReadModel.wake`."""
        self._bell.ring()

    @contextmanager
    def projector_lock(self) -> Iterator[WakeUps | None]:
        """See `ReadModel.projector_lock`."""
        with file_lock(Path(f"{self._datastore.pool.db_name}-projector")) as is_held:
            if not is_held:
                yield None
                return
            with self._bell.listen() as listener:
                yield listener

    def _rows(self, statement: LiteralString, *parameters: Any) -> list[Any]:
        with self._datastore.reading() as cursor:
            return cursor.execute(self._on(statement), parameters).fetchall()


def indexes(table: str, generation: int) -> Mapping[str, str]:
    """Return the statements that make the indexes of a generation's table, by their columns."""
    suffix = f"_{generation}" if generation else ""
    return {
        columns: f"CREATE INDEX milepost_instances_{name}{suffix} ON {table} ({columns})"
        for name, columns in INDEXED.items()
    }


def _instance_columns(row: InstanceRow) -> tuple[Any, ...]:
    return tuple(
        utc_text(value) if isinstance(value, datetime) else value
        for value in msgspec.structs.astuple(row)
    )


def _snapshot_columns(snapshot: ViewSnapshot) -> tuple[Any, ...]:
    job_id, view, version, recorded_at, document = msgspec.structs.astuple(snapshot)
    return job_id, view, version, utc_text(recorded_at), document
