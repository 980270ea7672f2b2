"""The event store in PostgreSQL; its twin is `sqlite.py`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

from eventsourcing import postgres
from eventsourcing.persistence import (
    InfrastructureFactory,
    InterfaceError,
    Notification,
    OperationalError,
    StoredEvent,
)
from eventsourcing.utils import EnvType
from psycopg import Connection
from psycopg.rows import DictRow

from domain.keys import Key
from domain.postgres_datastore import PostgresDatastore
from domain.store import Append, Found, NothingDecided

CREATE = (
    """CREATE TABLE IF NOT EXISTS milepost_events (
         notification_id bigserial,
         originator_id text NOT NULL,
         originator_version bigint NOT NULL,
         topic text NOT NULL,
         state bytea NOT NULL,
         PRIMARY KEY (originator_id, originator_version))""",
    """CREATE UNIQUE INDEX IF NOT EXISTS milepost_events_position
         ON milepost_events (notification_id)""",
    """CREATE TABLE IF NOT EXISTS milepost_keys (
         name text PRIMARY KEY,
         job_id text NOT NULL,
         version bigint NOT NULL,
         digest text NOT NULL)""",
)
TABLES = ("milepost_events", "milepost_keys")
# One writer at a time, so that positions become visible in order: a reader that has seen a position
# has seen all before it. Not LOCK TABLE, which waits for VACUUM and lets ANALYZE wait.
LOCK = "SELECT pg_advisory_xact_lock(hashtext('milepost events'))"
INSERT_EVENTS = """
    INSERT INTO milepost_events (originator_id, originator_version, topic, state)
    SELECT * FROM unnest(%s::text[], %s::bigint[], %s::text[], %s::bytea[])
    RETURNING notification_id
"""
NOTIFY = "NOTIFY milepost_events"
SELECT_TAIL = """
    SELECT e.originator_id, e.originator_version, e.topic, e.state
      FROM unnest(%s::text[], %s::bigint[]) AS known (id, version)
      JOIN milepost_events AS e
        ON e.originator_id = known.id AND e.originator_version > known.version
     ORDER BY e.originator_id, e.originator_version
"""
SELECT_EVENTS = """
    SELECT originator_id, originator_version, topic, state
      FROM milepost_events
     WHERE originator_id = %s AND originator_version > %s
       AND (%s::bigint IS NULL OR originator_version <= %s)
     ORDER BY originator_version LIMIT %s
"""
SELECT_EVENTS_DOWN = SELECT_EVENTS.replace("LIMIT", "DESC LIMIT")
SELECT_NOTIFICATIONS = """
    SELECT originator_id, originator_version, topic, state, notification_id AS id
      FROM milepost_events
     WHERE notification_id > %s AND (%s::bigint IS NULL OR notification_id <= %s)
       AND (%s::text[] = '{}' OR topic = ANY (%s))
     ORDER BY notification_id LIMIT %s
"""
SELECT_KEYS = """
    SELECT k.name, k.job_id, k.version, k.digest, e.notification_id AS position
      FROM milepost_keys AS k
      JOIN milepost_events AS e ON e.originator_id = k.job_id AND e.originator_version = k.version
     WHERE k.name = ANY (%s)
"""
CLAIM_KEYS = """
    INSERT INTO milepost_keys SELECT * FROM unnest(%s::text[], %s::text[], %s::bigint[], %s::text[])
    ON CONFLICT (name) DO NOTHING
"""
POINT_KEYS = """
    INSERT INTO milepost_keys SELECT * FROM unnest(%s::text[], %s::text[], %s::bigint[], %s::text[])
    ON CONFLICT (name) DO UPDATE
    SET job_id = excluded.job_id, version = excluded.version, digest = excluded.digest
"""
RELEASE_KEYS = """
    DELETE FROM milepost_keys WHERE (name, job_id) IN (SELECT * FROM unnest(%s::text[], %s::text[]))
"""


class PostgresRecorder(postgres.PostgresApplicationRecorder):
    """Keep events and keys in one PostgreSQL database."""

    datastore: PostgresDatastore

    def create_table(self) -> None:
        """Create the tables that are not there yet."""
        self.datastore.create(TABLES, CREATE)

    def transact(
        self,
        known: Mapping[str, int],
        names: Collection[str],
        decide: Callable[[Found], Append],
    ) -> Sequence[int]:
        """See `JobStore.transact`."""
        decided = False
        try:
            with (
                self.datastore.get_connection() as connection,
                connection.pipeline(),
                connection.transaction(),
            ):
                look, take = connection.cursor(), connection.cursor()
                connection.execute(LOCK)
                look.execute(SELECT_TAIL, (list(known), list(known.values())), prepare=True)
                take.execute(SELECT_KEYS, (list(names),), prepare=True)
                tail = [StoredEvent(*row.values()) for row in look]
                keys = {row["name"]: Key(**row) for row in take}
                decided = True
                append = decide(Found(tail, keys))
                return _write(connection, append) if append.events else ()
        except (InterfaceError, OperationalError) as error:
            if decided:
                raise
            self.datastore.discard_dead(error)
            raise NothingDecided(str(error)) from error

    def tail(self, known: Mapping[str, int]) -> Sequence[StoredEvent]:
        """See `JobStore.tail`."""
        rows = self.datastore.rows(SELECT_TAIL, (list(known), list(known.values())))
        return [StoredEvent(*row.values()) for row in rows]

    def _insert_stored_events(
        self, curs: Any, stored_events: Sequence[StoredEvent], **_: Any
    ) -> None:
        # The library's own insert needs a composite type; four arrays do the same.
        curs.execute(LOCK)
        curs.execute(NOTIFY)
        curs.execute(INSERT_EVENTS, _event_columns(stored_events))

    def select_events(
        self,
        originator_id: UUID | str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> Sequence[StoredEvent]:
        """Return a job's events; unlike the library, do not try ten times."""
        rows = self.datastore.rows(
            SELECT_EVENTS_DOWN if desc else SELECT_EVENTS, (originator_id, gt or 0, lte, lte, limit)
        )
        return [StoredEvent(*row.values()) for row in rows]

    def select_notifications(
        self,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        *,
        inclusive_of_start: bool = True,
    ) -> Sequence[Notification]:
        """Return events in order of position; unlike the library, do not try ten times."""
        after = (start or 0) - (1 if inclusive_of_start else 0)
        rows = self.datastore.rows(
            SELECT_NOTIFICATIONS, (after, stop, stop, list(topics), list(topics), limit)
        )
        return [Notification(**row) for row in rows]


def _write(connection: Connection[DictRow], append: Append) -> Sequence[int]:
    connection.execute(NOTIFY)
    insert = connection.cursor()
    insert.execute(INSERT_EVENTS, _event_columns(append.events), prepare=True)
    if append.releases:
        names, job_ids = zip(*append.releases, strict=True)
        connection.execute(RELEASE_KEYS, (list(names), list(job_ids)), prepare=True)
    if append.claims:
        connection.execute(CLAIM_KEYS, _key_columns(append.claims), prepare=True)
    if append.pointers:
        connection.execute(POINT_KEYS, _key_columns(append.pointers), prepare=True)
    return [row["notification_id"] for row in insert]


def _event_columns(events: Sequence[StoredEvent]) -> tuple[list[Any], ...]:
    return (
        [event.originator_id for event in events],
        [event.originator_version for event in events],
        [event.topic for event in events],
        [event.state for event in events],
    )


def _key_columns(keys: Sequence[Key]) -> tuple[list[Any], ...]:
    return (
        [key.name for key in keys],
        [key.job_id for key in keys],
        [key.version for key in keys],
        [key.digest for key in keys],
    )


class Factory(postgres.PostgresFactory):
    """Make recorders on the database named by `DATABASE_URL`."""

    application_recorder_class = PostgresRecorder
    datastore: PostgresDatastore

    def __init__(self, env: EnvType) -> None:
        InfrastructureFactory.__init__(self, env)
        self.datastore = PostgresDatastore(self.env.get("DATABASE_URL") or "")
