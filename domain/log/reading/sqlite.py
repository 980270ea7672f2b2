"""Reading the log in a SQLite file; its twin is `postgres.py`."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Sequence
from typing import LiteralString

from domain.log.connections.sqlite import SQLiteDatastore
from domain.log.parameters import as_json
from domain.log.reading.contract import NEWEST, Recalled, recalled
from domain.log.reading.library import LibraryReads
from domain.log.stored import Stored

# CAST returns bytes, also if somebody wrote text into the column.
STORED: LiteralString = (
    "notification_id, originator_id, originator_version, topic, CAST(state AS BLOB)"
)
SELECT_NEWEST = "SELECT COALESCE(MAX(notification_id), 0) FROM milepost_events"
SELECT_EVENTS = f"""
    SELECT {STORED} FROM milepost_events
     WHERE notification_id > ? ORDER BY notification_id LIMIT ?
"""
SELECT_SOME_EVENTS = f"""
    SELECT {STORED} FROM milepost_events
     WHERE notification_id > ? AND notification_id <= ?
       AND (? = '[]' OR topic IN (SELECT value FROM json_each(?)))
     ORDER BY notification_id LIMIT ?
"""
SELECT_HISTORY = f"""
    SELECT {STORED} FROM milepost_events
     WHERE originator_id = ? AND originator_version > ? AND originator_version <= ?
     ORDER BY originator_version LIMIT ?
"""
# The + forbids the index on positions: the order is that of the index on jobs and versions.
SELECT_HISTORIES = f"""
    SELECT {STORED} FROM milepost_events
     WHERE (originator_id, originator_version) > (?, ?) AND +notification_id <= ?
     ORDER BY originator_id, originator_version LIMIT ?
"""
SELECT_EVENT = f"""
    SELECT {STORED} FROM milepost_events WHERE originator_id = ? AND originator_version = ?
"""
# SQLite counts all events in its smallest index, and few events come after a hashed position.
COUNT_EVENTS = """
    SELECT (SELECT COUNT(*) FROM milepost_events)
         - (SELECT COUNT(*) FROM milepost_events WHERE notification_id > ?)
"""
# Pass over a snapshot that is ahead of its job's events: somebody restored an older log.
SELECT_RECALLED = """
    WITH cold AS (
         SELECT wanted.value AS job_id, s.version, s.shape, s.state
           FROM json_each(?) AS wanted
           LEFT JOIN milepost_snapshots AS s
             ON s.job_id = wanted.value
            AND EXISTS (SELECT 1 FROM milepost_events
                         WHERE originator_id = s.job_id AND originator_version = s.version))
    SELECT NULL, job_id, version, shape, NULL AS topic, state FROM cold WHERE version IS NOT NULL
     UNION ALL
    SELECT e.notification_id, e.originator_id, e.originator_version, NULL, e.topic, e.state
      FROM cold
      JOIN milepost_events AS e
        ON e.originator_id = cold.job_id AND e.originator_version > COALESCE(cold.version, 0)
     ORDER BY 2, 3
"""


class SQLiteLog(LibraryReads):
    """Read events; see `Log`."""

    datastore: SQLiteDatastore

    def newest_position(self) -> int:
        """See `Log.newest_position`."""
        with self.datastore.reading() as cursor:
            return int(cursor.execute(SELECT_NEWEST).fetchone()[0])

    def events(
        self, after: int, limit: int, until: int = NEWEST, topics: Sequence[str] = ()
    ) -> Sequence[Stored]:
        """See `Log.events`."""
        if until == NEWEST and not topics:
            return self.datastore.stored(SELECT_EVENTS, (after, limit))
        wanted = as_json(list(topics))
        return self.datastore.stored(SELECT_SOME_EVENTS, (after, until, wanted, wanted, limit))

    def history(
        self, job_id: str, after: int = 0, until: int = NEWEST, limit: int = NEWEST
    ) -> Sequence[Stored]:
        """See `Recalling.history`."""
        return self.datastore.stored(SELECT_HISTORY, (job_id, after, until, limit))

    def histories(
        self, after: tuple[str, int], limit: int, until: int = NEWEST
    ) -> Sequence[Stored]:
        """See `Log.histories`."""
        return self.datastore.stored(SELECT_HISTORIES, (*after, until, limit))

    def event(self, job_id: str, version: int) -> Stored | None:
        """See `Log.event`."""
        events = self.datastore.stored(SELECT_EVENT, (job_id, version))
        return events[0] if events else None

    def count(self, upto: int) -> int:
        """See `Log.count`."""
        with self.datastore.reading() as cursor:
            return int(cursor.execute(COUNT_EVENTS, (upto,)).fetchone()[0])

    def recall(self, job_ids: Collection[str]) -> Recalled:
        """See `Recalling.recall`."""
        with self.datastore.reading() as cursor:
            return recall_by(cursor, job_ids)


def recall_by(cursor: sqlite3.Cursor, job_ids: Collection[str]) -> Recalled:
    """Recall these jobs with a cursor, which may be in a transaction."""
    cursor.execute(SELECT_RECALLED, (as_json(list(job_ids)),))
    return recalled(map(tuple, cursor))
