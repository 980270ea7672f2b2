"""The event store in a SQLite file; its twin is `postgres.py`."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar, LiteralString

import msgspec
from eventsourcing import sqlite
from eventsourcing.persistence import Notification, StoredEvent

from domain.job.keys import Key
from domain.log.schema.sqlite import SQLitePart, SQLiteSchema
from domain.log.schema.steps import Part, Step, each
from domain.log.snapshots import Snapshot
from domain.log.sqlite_datastore import SQLiteDatastore, translated
from domain.log.store import MAX_TAIL, Append, Filling, Found, Recalled, StoreNotEmpty, recalled
from domain.log.stored import Stored

# AUTOINCREMENT, so that the position of a deleted newest event is never given out again.
CREATE: tuple[LiteralString, ...] = (
    """CREATE TABLE IF NOT EXISTS milepost_events (
         notification_id INTEGER PRIMARY KEY AUTOINCREMENT,
         originator_id TEXT NOT NULL,
         originator_version INTEGER NOT NULL,
         topic TEXT NOT NULL,
         state BLOB NOT NULL,
         UNIQUE (originator_id, originator_version))""",
    """CREATE TABLE IF NOT EXISTS milepost_keys (
         name TEXT PRIMARY KEY,
         job_id TEXT NOT NULL,
         version INTEGER NOT NULL,
         digest TEXT NOT NULL) WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS milepost_snapshots (
         job_id TEXT PRIMARY KEY,
         version INTEGER NOT NULL,
         shape TEXT NOT NULL,
         state BLOB NOT NULL)""",
)
PART: SQLitePart = Part(
    "log", (Step(1, ("milepost_events", "milepost_keys", "milepost_snapshots"), each(*CREATE)),)
)
INSERT_EVENT = """
    INSERT INTO milepost_events (originator_id, originator_version, topic, state)
    VALUES (?, ?, ?, ?)
"""
INSERT_PLACED = """
    INSERT INTO milepost_events
           (originator_id, originator_version, topic, state, notification_id)
    VALUES (?, ?, ?, ?, ?)
"""
COUNT_EVENTS = "SELECT COUNT(*) FROM milepost_events"
# Without events, keys and snapshots are of events that are gone.
FORGET = ("DELETE FROM milepost_keys", "DELETE FROM milepost_snapshots")
SELECT_TAIL = f"""
    SELECT e.originator_id, e.originator_version, e.topic,
           iif(e.originator_version > json_extract(known.value, '$[1]'), e.state, x'')
      FROM json_each(?) AS known
      JOIN milepost_events AS e
        ON e.originator_id = json_extract(known.value, '$[0]')
       AND e.originator_version >= json_extract(known.value, '$[1]')
     ORDER BY e.originator_id, e.originator_version LIMIT {MAX_TAIL + 1}
"""
# A snapshot that is ahead of its events is none: those were restored from before it was taken.
SELECT_RECALLED = """
    WITH cold AS (
         SELECT wanted.value AS job_id, s.version, s.shape, s.state
           FROM json_each(?) AS wanted
           LEFT JOIN milepost_snapshots AS s
             ON s.job_id = wanted.value
            AND EXISTS (SELECT 1 FROM milepost_events
                         WHERE originator_id = s.job_id AND originator_version = s.version))
    SELECT job_id, version, shape, NULL AS topic, state FROM cold WHERE version IS NOT NULL
     UNION ALL
    SELECT e.originator_id, e.originator_version, NULL, e.topic, e.state
      FROM cold
      JOIN milepost_events AS e
        ON e.originator_id = cold.job_id AND e.originator_version > COALESCE(cold.version, 0)
     ORDER BY 1, 2
"""
SELECT_EVENTS = """
    SELECT originator_id, originator_version, topic, state
      FROM milepost_events WHERE originator_id = ? ORDER BY originator_version
"""
# Bytes, also where somebody wrote text over them.
STORED = "notification_id, originator_id, originator_version, topic, CAST(state AS BLOB)"
SELECT_LOG = f"""
    SELECT {STORED} FROM milepost_events
     WHERE notification_id > ? ORDER BY notification_id LIMIT ?
"""
SELECT_NOTIFICATIONS = """
    SELECT originator_id, originator_version, topic, CAST(state AS BLOB), notification_id
      FROM milepost_events
     WHERE notification_id > ? AND (? IS NULL OR notification_id <= ?)
       AND (? = '[]' OR topic IN (SELECT value FROM json_each(?)))
     ORDER BY notification_id LIMIT ?
"""
SELECT_KEYS = """
    SELECT k.name, k.job_id, k.version, k.digest, e.notification_id
      FROM milepost_keys AS k
      JOIN milepost_events AS e ON e.originator_id = k.job_id AND e.originator_version = k.version
     WHERE k.name IN (SELECT value FROM json_each(?))
"""
CLAIM_KEY = "INSERT INTO milepost_keys VALUES (?, ?, ?, ?) ON CONFLICT (name) DO NOTHING"
POINT_KEY = """
    INSERT INTO milepost_keys VALUES (?, ?, ?, ?)
    ON CONFLICT (name) DO UPDATE
    SET job_id = excluded.job_id, version = excluded.version, digest = excluded.digest
"""
RELEASE_KEY = "DELETE FROM milepost_keys WHERE name = ? AND job_id = ?"
KEEP_SNAPSHOT = """
    INSERT INTO milepost_snapshots VALUES (?, ?, ?, ?)
    ON CONFLICT (job_id) DO UPDATE
    SET version = excluded.version, shape = excluded.shape, state = excluded.state
"""


class SQLiteRecorder(sqlite.SQLiteApplicationRecorder):
    """Keep events, keys and snapshots in one SQLite file."""

    part: ClassVar = PART

    datastore: SQLiteDatastore

    def __init__(self, datastore: SQLiteDatastore, events_table_name: str = "milepost_events"):
        super().__init__(datastore, events_table_name)
        self.insert_events_statement = INSERT_EVENT

    def create_table(self) -> None:
        """Apply the log's own schema steps, as the library asks where nothing else does."""
        SQLiteSchema(self.datastore, PART).apply()

    def transact(
        self,
        known: Mapping[str, int],
        names: Collection[str],
        decide: Callable[[Found], Append],
    ) -> Sequence[int]:
        """See `JobStore.transact`."""
        with self.datastore.writing() as cursor:
            tail = _tail(cursor, known)
            cursor.execute(SELECT_KEYS, (_json(list(names)),))
            keys = {row["name"]: Key(*row) for row in cursor.fetchall()}
            append = decide(Found(tail, keys))
            if not append.events:
                return ()
            positions = self._insert_events(sqlite.SQLiteCursor(cursor), append.events) or ()
            cursor.executemany(RELEASE_KEY, append.releases)
            cursor.executemany(CLAIM_KEY, [_row(key) for key in append.claims])
            cursor.executemany(POINT_KEY, [_row(key) for key in append.pointers])
            cursor.executemany(KEEP_SNAPSHOT, map(msgspec.structs.astuple, append.snapshots))
        return positions

    @contextmanager
    def filling(self) -> Iterator[Filling]:
        """See `JobStore.filling`."""
        with self.datastore.writing() as cursor:
            if events := cursor.execute(COUNT_EVENTS).fetchone()[0]:
                raise StoreNotEmpty.of(events)
            for statement in FORGET:
                cursor.execute(statement)
            yield _Filling(cursor)

    def select_notifications(
        self,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        *,
        inclusive_of_start: bool = True,
    ) -> Sequence[Notification]:
        """Return events in order of position; the library's looks for a column named rowid."""
        after = (start or 0) - (1 if inclusive_of_start else 0)
        wanted = _json(list(topics))
        with self.datastore.reading() as cursor:
            cursor.execute(SELECT_NOTIFICATIONS, (after, stop, stop, wanted, wanted, limit))
            return [Notification(*row) for row in cursor.fetchall()]

    def log(self, after: int, limit: int) -> Sequence[Stored]:
        """See `JobStore.log`."""
        return self.datastore.stored(SELECT_LOG, (after, limit))

    def recall(self, job_ids: Collection[str]) -> Recalled:
        """See `JobStore.recall`."""
        with self.datastore.reading() as cursor:
            return _recall(cursor, job_ids)


class _Filling:
    def __init__(self, cursor: sqlite3.Cursor) -> None:
        self._cursor = cursor

    def append(
        self,
        events: Sequence[Notification],
        claims: Sequence[Key] = (),
        pointers: Sequence[Key] = (),
        snapshots: Sequence[Snapshot] = (),
    ) -> None:
        """See `Filling.append`; AUTOINCREMENT goes on after the largest position by itself."""
        with translated():
            rows = [(e.originator_id, e.originator_version, e.topic, e.state, e.id) for e in events]
            self._cursor.executemany(INSERT_PLACED, rows)
            self._cursor.executemany(CLAIM_KEY, [_row(key) for key in claims])
            self._cursor.executemany(POINT_KEY, [_row(key) for key in pointers])
            self._cursor.executemany(KEEP_SNAPSHOT, map(msgspec.structs.astuple, snapshots))

    def recall(self, job_ids: Collection[str]) -> Recalled:
        """See `Recalling.recall`."""
        return _recall(self._cursor, job_ids)

    def select_events(self, originator_id: str) -> Sequence[StoredEvent]:
        """See `Recalling.select_events`."""
        self._cursor.execute(SELECT_EVENTS, (originator_id,))
        return [StoredEvent(*row) for row in self._cursor.fetchall()]


def _tail(cursor: sqlite3.Cursor, known: Mapping[str, int]) -> list[StoredEvent]:
    cursor.execute(SELECT_TAIL, (_json(list(known.items())),))
    return [StoredEvent(*row) for row in cursor.fetchall()]


def _recall(cursor: sqlite3.Cursor, job_ids: Collection[str]) -> Recalled:
    cursor.execute(SELECT_RECALLED, (_json(list(job_ids)),))
    return recalled(map(tuple, cursor.fetchall()))


def _row(key: Key) -> tuple[str, str, int, str]:
    return key.name, key.job_id, key.version, key.digest


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


class Factory(sqlite.SQLiteFactory):
    """Make recorders on a SQLite file."""

    application_recorder_class: type[sqlite.SQLiteApplicationRecorder] = SQLiteRecorder
    datastore: SQLiteDatastore

    def __init__(self, env: Any) -> None:
        super().__init__(env)
        self.datastore.close()
        self.datastore = SQLiteDatastore(self.datastore.pool.db_name, originator_id_type="text")
