"""Reading the log in PostgreSQL; its twin is `sqlite.py`."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import LiteralString

from domain.log.bounded import READ_BYTES
from domain.log.connections.postgres import PostgresDatastore
from domain.log.parameters import as_json
from domain.log.reading.contract import NEWEST, Recalled, recalled
from domain.log.reading.library import LibraryReads
from domain.log.stored import Stored

STORED: LiteralString = "notification_id, originator_id, originator_version, topic, state"
SELECT_NEWEST = "SELECT COALESCE(MAX(notification_id), 0) AS position FROM milepost_events"


def first_within_bytes(
    rows: LiteralString, columns: LiteralString, size: LiteralString, order: LiteralString
) -> LiteralString:
    """Return a statement of these columns of another one, within the bound of `bounded.py`.

    PostgreSQL knows the length of the column `size` without reading it, and adds the lengths up. So
    it neither reads nor sends a large one behind the bound.
    """
    return f"""
    SELECT {columns}
      FROM (SELECT *, sum(octet_length({size})) OVER (
                      ORDER BY {order} ROWS UNBOUNDED PRECEDING) AS bytes
              FROM ({rows}) AS page) AS found
     WHERE bytes - octet_length({size}) < {READ_BYTES} ORDER BY {order}
    """


def within_bytes(events: LiteralString, order: LiteralString) -> LiteralString:
    """Return a statement of the events of another one, within the bound of a read."""
    return first_within_bytes(events, STORED, "state", order)


SELECT_EVENTS = within_bytes(
    f"""
    SELECT {STORED} FROM milepost_events
     WHERE notification_id > %s ORDER BY notification_id LIMIT %s
    """,
    "notification_id",
)
SELECT_SOME_EVENTS = within_bytes(
    f"""
    SELECT {STORED} FROM milepost_events
     WHERE notification_id > %s AND notification_id <= %s
       AND (pg_catalog.cardinality(%s::text[]) = 0 OR topic = ANY (%s))
     ORDER BY notification_id LIMIT %s
    """,
    "notification_id",
)
SELECT_HISTORY = within_bytes(
    f"""
    SELECT {STORED} FROM milepost_events
     WHERE originator_id = %s AND originator_version > %s AND originator_version <= %s
     ORDER BY originator_version LIMIT %s
    """,
    "originator_version",
)
# The + 0 forbids the index on positions: the order is that of the index on jobs and versions.
SELECT_HISTORIES = within_bytes(
    f"""
    SELECT {STORED} FROM milepost_events
     WHERE (originator_id, originator_version) > (%s, %s) AND notification_id + 0 <= %s
     ORDER BY originator_id, originator_version LIMIT %s
    """,
    "originator_id, originator_version",
)
SELECT_EVENT: LiteralString = f"""
    SELECT {STORED} FROM milepost_events WHERE originator_id = %s AND originator_version = %s
"""
COUNT_EVENTS = "SELECT COUNT(*) AS events FROM milepost_events WHERE notification_id <= %s"
# LATERAL and OFFSET 0: the plan uses the index for each job, also if it was made when the tables
# were small, or without statistics.
# Pass over a snapshot that is ahead of its job's events: somebody restored an older log.
SELECT_RECALLED: LiteralString = f"""
    SELECT notification_id, originator_id, originator_version, shape, topic, state FROM (
    SELECT e.*, sum(octet_length(e.state)) OVER (
                ORDER BY place, e.originator_version ROWS UNBOUNDED PRECEDING) AS bytes, place
      FROM json_array_elements_text(%s::json) WITH ORDINALITY AS cold (job_id, place)
      LEFT JOIN LATERAL (
           SELECT job_id, version, shape, state
             FROM milepost_snapshots AS snapshot
            WHERE job_id = cold.job_id
              AND EXISTS (SELECT FROM milepost_events
                           WHERE originator_id = cold.job_id
                             AND originator_version = snapshot.version OFFSET 0)
            OFFSET 0) AS s ON true
     CROSS JOIN LATERAL (
           SELECT NULL::bigint, s.job_id, s.version, s.shape, NULL, s.state
            WHERE s.version IS NOT NULL
            UNION ALL
           SELECT notification_id, originator_id, originator_version, NULL, topic, state
             FROM milepost_events
            WHERE originator_id = cold.job_id AND originator_version > COALESCE(s.version, 0)
            ORDER BY 3)
           AS e (notification_id, originator_id, originator_version, shape, topic, state)) AS found
     WHERE bytes - octet_length(state) < {READ_BYTES} ORDER BY place, originator_version
"""


class PostgresLog(LibraryReads):
    """Read events; see `Log`."""

    datastore: PostgresDatastore

    def newest_position(self) -> int:
        """See `Log.newest_position`."""
        return int(self.datastore.rows(SELECT_NEWEST)[0]["position"])

    def max_notification_id(self) -> int | None:
        """Return the newest position as the library asks for it; None for an empty log."""
        return self.newest_position() or None

    def events(
        self, after: int, limit: int, until: int = NEWEST, topics: Sequence[str] = ()
    ) -> Sequence[Stored]:
        """See `Log.events`."""
        if until == NEWEST and not topics:
            return self.datastore.stored(SELECT_EVENTS, (after, limit))
        wanted = list(topics)
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
        return int(self.datastore.rows(COUNT_EVENTS, (upto,))[0]["events"])

    def recall(self, job_ids: Collection[str]) -> Recalled:
        """See `Recalling.recall`."""
        rows = self.datastore.rows(SELECT_RECALLED, (as_json(list(job_ids)),))
        return recalled(tuple(row.values()) for row in rows)
