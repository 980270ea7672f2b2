"""The event store in PostgreSQL; its twin is `sqlite.py`."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Any, ClassVar, LiteralString
from weakref import WeakKeyDictionary

from eventsourcing import postgres
from eventsourcing.persistence import (
    InfrastructureFactory,
    InterfaceError,
    OperationalError,
    StoredEvent,
)
from eventsourcing.utils import EnvType
from psycopg import ClientCursor, Connection
from psycopg.errors import InsufficientPrivilege

from domain.job.keys.key import Key
from domain.log.clock import CarriedClock
from domain.log.connections.postgres import CONNECTIONS, PostgresDatastore
from domain.log.connections.postgres_locks import LOCK_LOG, LOG
from domain.log.connections.postgres_prepared import Prepared
from domain.log.lost_end import postgres as lost_end
from domain.log.parameters import as_json
from domain.log.reading.contract import NEWEST, Recalled, recalled
from domain.log.reading.postgres import SELECT_HISTORY, SELECT_RECALLED, PostgresLog
from domain.log.schema.postgres import PostgresPart, PostgresSchema
from domain.log.schema.steps import Part, Step, each
from domain.log.snapshots import Snapshot
from domain.log.store import (
    MAX_MISSED_BYTES,
    MAX_TAIL,
    Append,
    Filling,
    Found,
    NothingDecided,
    StoreNotEmpty,
)
from domain.log.stored import Stored
from domain.log.vouching.postgres import VOUCH, PostgresVouching

log = logging.getLogger("milepost")

CREATE: tuple[LiteralString, ...] = (
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
    """CREATE TABLE IF NOT EXISTS milepost_snapshots (
         job_id text PRIMARY KEY,
         version bigint NOT NULL,
         shape text NOT NULL,
         state bytea NOT NULL)""",
)
PART: PostgresPart = Part(
    "log",
    (
        Step(1, ("milepost_events", "milepost_keys", "milepost_snapshots"), each(*CREATE)),
        Step(2, ("milepost_lost_ends",), each(lost_end.CREATE)),
    ),
)
# One writer at a time, so that positions become visible in order: a reader that has seen a position
# has seen all before it. `LOCK_LOG` is no LOCK TABLE, which waits for VACUUM and lets ANALYZE wait.
# READ COMMITTED: each statement after the lock sees everything that was committed before it.
BEGIN = "BEGIN ISOLATION LEVEL READ COMMITTED"
# Not now(), which is the time at which the transaction began to wait for the lock.
SELECT_NOW = "SELECT clock_timestamp() AS now"
# A sequence does not travel with logical replication or COPY. So after a move of the database, the
# next positions might be below the end of the log, where no reader looks again.
LOOK = """
    SELECT clock_timestamp() AS now,
           coalesce(pg_sequence_last_value('milepost_events_notification_id_seq'), 0)
           < (SELECT max(notification_id) FROM milepost_events) AS is_behind
"""
CARRIED_SECONDS = 60.0
"""How long this host's monotonic clock carries on what the database's clock said."""
# Rows travel as one JSON text: the driver adapts one string, however many rows there are.
INSERT_EVENTS = """
    INSERT INTO milepost_events (originator_id, originator_version, topic, state)
    SELECT originator_id, originator_version, topic, decode(state, 'base64')
      FROM ROWS FROM (
           json_to_recordset(%s::json)
           AS (originator_id text, originator_version bigint, topic text, state text)
           ) WITH ORDINALITY AS event (originator_id, originator_version, topic, state, place)
     ORDER BY place
    RETURNING notification_id
"""
# A NOTIFY fails its transaction when PostgreSQL's queue is full, because another session does not
# listen for hours. The projector looks by itself, too, so then it is not woken.
# All logs of a database share the channel; the payload says which of them has grown.
WAKE = f"""
    SELECT pg_notify('milepost_events', {LOG}::oid::text)
     WHERE pg_notification_queue_usage() < 0.9
"""
INSERT_PLACED = """
    INSERT INTO milepost_events
           (originator_id, originator_version, topic, state, notification_id)
    SELECT job_id, version, topic, decode(state, 'base64'), position
      FROM json_to_recordset(%s::json) AS event
           (job_id text, version bigint, topic text, state text, position bigint)
"""
COUNT_EVENTS = "SELECT COUNT(*) FROM milepost_events"
# A store without events may still have keys and snapshots, of events that were deleted.
FORGET = "DELETE FROM milepost_keys; DELETE FROM milepost_snapshots"
# An import may read from a slow pipe, so PostgreSQL must not end its idle transaction.
WAIT_FOR_EVENTS = "SET LOCAL idle_in_transaction_session_timeout = 0"
GO_ON = """
    SELECT setval(pg_get_serial_sequence('milepost_events', 'notification_id'),
                  max(notification_id))
      FROM milepost_events
"""
# LATERAL and OFFSET 0 make PostgreSQL look each job or name up by the index, however small the
# tables were when it planned the statement.
SELECT_TAIL = f"""
    SELECT e.notification_id, e.originator_id, e.originator_version, e.topic,
           CASE WHEN e.originator_version > known.version::bigint
                 AND octet_length(e.state) <= {MAX_MISSED_BYTES} THEN e.state ELSE '' END
      FROM json_each_text(%s::json) AS known (id, version)
     CROSS JOIN LATERAL (
           SELECT notification_id, originator_id, originator_version, topic, state
             FROM milepost_events
            WHERE originator_id = known.id AND originator_version >= known.version::bigint
            ORDER BY originator_version OFFSET 0) AS e
     LIMIT {MAX_TAIL + 1}
"""
SELECT_KEYS = """
    SELECT k.name, k.job_id, k.version, k.digest, e.notification_id
      FROM json_array_elements_text(%s::json) AS asked (name)
     CROSS JOIN LATERAL (SELECT * FROM milepost_keys WHERE name = asked.name OFFSET 0) AS k
     CROSS JOIN LATERAL (
           SELECT notification_id
             FROM milepost_events
            WHERE originator_id = k.job_id AND originator_version = k.version OFFSET 0) AS e
"""
CLAIM_KEYS = """
    INSERT INTO milepost_keys SELECT name, job_id, version, digest
      FROM json_to_recordset(%s::json) AS key (name text, job_id text, version bigint, digest text)
    ON CONFLICT (name) DO NOTHING
"""
POINT_KEYS = """
    INSERT INTO milepost_keys SELECT name, job_id, version, digest
      FROM json_to_recordset(%s::json) AS key (name text, job_id text, version bigint, digest text)
    ON CONFLICT (name) DO UPDATE
    SET job_id = excluded.job_id, version = excluded.version, digest = excluded.digest
"""
RELEASE_KEYS = """
    DELETE FROM milepost_keys AS key
     USING json_to_recordset(%s::json) AS held (name text, job_id text)
     WHERE key.name = held.name AND key.job_id = held.job_id
"""
KEEP_SNAPSHOTS = """
    INSERT INTO milepost_snapshots SELECT job_id, version, shape, decode(state, 'base64')
      FROM json_to_recordset(%s::json) AS snapshot
           (job_id text, version bigint, shape text, state text)
    ON CONFLICT (job_id) DO UPDATE
    SET version = excluded.version, shape = excluded.shape, state = excluded.state
"""
# A standby that is promoted has started at another time than the old primary, and a database that
# takes the name of another one has another number.
WHICH_SERVER = """
    SELECT pg_postmaster_start_time()::text, oid FROM pg_database
     WHERE datname = current_database()
"""
PREPARED: dict[LiteralString, LiteralString] = {
    "milepost_lock": LOCK_LOG,
    "milepost_look": LOOK,
    "milepost_tail": SELECT_TAIL,
    "milepost_keys": SELECT_KEYS,
    "milepost_append": INSERT_EVENTS,
    "milepost_wake": WAKE,
    "milepost_release": RELEASE_KEYS,
    "milepost_claim": CLAIM_KEYS,
    "milepost_point": POINT_KEYS,
    "milepost_snapshots": KEEP_SNAPSHOTS,
}


class PostgresRecorder(
    PostgresLog, PostgresVouching, lost_end.PostgresLosses, postgres.PostgresApplicationRecorder
):
    """Keep events, keys and snapshots in one PostgreSQL database."""

    part: ClassVar = PART

    datastore: PostgresDatastore

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        # The library's subscriptions listen here.
        self.channel_name = "milepost_events"
        self.clock: Callable[[], datetime] | None = None
        self._carried = CarriedClock()
        self._prepared = Prepared(PREPARED)
        self._servers: WeakKeyDictionary[Connection[Any], tuple[Any, ...]] = WeakKeyDictionary()
        self._server: tuple[Any, ...] | None = None

    def now(self) -> datetime:
        """See `JobStore.now`."""
        if self.clock:
            return self.clock()
        [row] = self.datastore.rows(SELECT_NOW)
        return self._carried.was_read(row["now"].astimezone(UTC))

    def about_now(self) -> datetime:
        """See `JobStore.about_now`."""
        return (self.clock or self._carried)()

    def read_clock(self) -> None:
        """See `Log.read_clock`: a reading is carried on for `CARRIED_SECONDS`."""
        if self.clock is None and self._carried.age() > CARRIED_SECONDS:
            self.now()

    def check_place(self) -> None:
        """Do nothing: the server has its files."""

    def create_table(self) -> None:
        """Apply the log's own schema steps, as the library asks where nothing else does."""
        PostgresSchema(self.datastore, PART).apply()

    def transact(
        self,
        known: Mapping[str, int],
        names: Collection[str],
        decide: Callable[[Found], Append],
    ) -> Sequence[int]:
        """See `JobStore.transact`."""
        decided = False
        try:
            with self.datastore.spelled_out() as cursor:
                self._expect_same_server(cursor)
                found = self._prepared.run(cursor, partial(self._found, cursor, known, names))
                decided = True
                append = decide(found)
                self.datastore.commit_warnings.forget(cursor.connection)
                positions = _write(cursor, append)
                self.datastore.commit_warnings.refuse(cursor.connection)
                return positions
        except (InterfaceError, OperationalError) as error:
            if decided:
                raise
            # The caller forgets what it knew, so the next transaction may be on any server.
            self._server = None
            self.datastore.discard_dead(error)
            raise NothingDecided(str(error)) from error

    def _expect_same_server(self, cursor: ClientCursor[Any]) -> None:
        """Raise `NothingDecided` if the last transaction was on another server.

        That server may have had events that this one lacks, and other events may have their
        versions here. No error need have told so: a reader may have replaced the connections.
        """
        server = self._servers.get(cursor.connection)
        if server is None:
            [server] = cursor.execute(WHICH_SERVER)
            self._servers[cursor.connection] = server
        before, self._server = self._server, server
        if before not in (None, server):
            raise NothingDecided("another server answers than before")

    def _found(
        self, cursor: ClientCursor[Any], known: Mapping[str, int], names: Collection[str]
    ) -> Found:
        """Begin, take the lock and see what is there and how late it is, in one round trip."""
        parts = [BEGIN, "EXECUTE milepost_lock", "EXECUTE milepost_look"]
        parts.append("EXECUTE milepost_tail(%s)")
        parameters = [as_json(known)]
        if names:
            parts.append("EXECUTE milepost_keys(%s)")
            parameters.append(as_json(names))
        cursor.execute(";".join(parts), parameters)
        for _ in (BEGIN, LOCK_LOG):
            cursor.nextset()
        [(now, is_behind)] = cursor.fetchall()
        cursor.nextset()
        tail = [Stored(*row) for row in cursor.fetchall()]
        keys = [Key(*row) for row in cursor.fetchall()] if names and cursor.nextset() else []
        if is_behind:
            _go_on(cursor)
        now = self.clock() if self.clock else self._carried.was_read(now.astimezone(UTC))
        return Found(tail, {key.name: key for key in keys}, now)

    @contextmanager
    def filling(self) -> Iterator[Filling]:
        """See `JobStore.filling`."""
        with self.datastore.spelled_out() as cursor:
            cursor.execute(f"{BEGIN};{WAIT_FOR_EVENTS};{LOCK_LOG}")
            [(events,)] = cursor.execute(COUNT_EVENTS)
            if events:
                raise StoreNotEmpty.of(events)
            cursor.execute(FORGET)
            yield _Filling(cursor)
            self.datastore.commit_warnings.forget(cursor.connection)
            cursor.execute(f"{GO_ON};{WAKE};COMMIT")
            self.datastore.commit_warnings.refuse(cursor.connection)

    def _insert_stored_events(
        self, curs: Any, stored_events: Sequence[StoredEvent], **_: Any
    ) -> None:
        # The library's own insert needs a composite type; JSON does the same.
        curs.execute(LOCK_LOG)
        curs.execute(WAKE)
        curs.execute(INSERT_EVENTS, (as_json(stored_events),))


def _go_on(cursor: ClientCursor[Any]) -> None:
    """Move the positions' sequence to the end of the log."""
    try:
        [(newest,)] = cursor.execute(GO_ON)
    except InsufficientPrivilege as error:
        raise OperationalError(
            "the sequence of the events' positions is behind the log, as after a move of the "
            "database, and this account may not move it on: GRANT UPDATE ON SEQUENCE "
            "milepost_events_notification_id_seq"
        ) from error
    log.warning("the sequence of positions was behind the log; the next one is above %s", newest)


class _Filling:
    def __init__(self, cursor: ClientCursor[Any]) -> None:
        self._cursor = cursor

    def append(
        self,
        events: Sequence[Stored],
        claims: Sequence[Key] = (),
        pointers: Sequence[Key] = (),
        snapshots: Sequence[Snapshot] = (),
    ) -> None:
        """See `Filling.append`."""
        for statement, rows in (
            (INSERT_PLACED, [event._asdict() for event in events]),
            (CLAIM_KEYS, claims),
            (POINT_KEYS, pointers),
            (KEEP_SNAPSHOTS, snapshots),
        ):
            self._cursor.execute(statement, (as_json(rows),))

    def recall(self, job_ids: Collection[str]) -> Recalled:
        """See `Recalling.recall`."""
        return recalled(self._cursor.execute(SELECT_RECALLED, (as_json(list(job_ids)),)))

    def history(
        self, job_id: str, after: int = 0, until: int = NEWEST, limit: int = NEWEST
    ) -> Sequence[Stored]:
        """See `Recalling.history`."""
        rows = self._cursor.execute(SELECT_HISTORY, (job_id, after, until, limit))
        return [Stored(*row) for row in rows]


def _write(cursor: ClientCursor[Any], append: Append) -> Sequence[int]:
    """Store everything and commit, in one round trip; return the events' positions."""
    if not append.events:
        cursor.execute(f"{VOUCH};COMMIT" if append.vouches else "COMMIT")
        return ()
    parts = ["EXECUTE milepost_append(%s)", "EXECUTE milepost_wake"]
    parameters = [as_json(append.events)]
    if append.releases:
        parts.append("EXECUTE milepost_release(%s)")
        parameters.append(as_json([{"name": name, "job_id": job} for name, job in append.releases]))
    if append.claims:
        parts.append("EXECUTE milepost_claim(%s)")
        parameters.append(as_json(append.claims))
    if append.pointers:
        parts.append("EXECUTE milepost_point(%s)")
        parameters.append(as_json(append.pointers))
    if append.snapshots:
        parts.append("EXECUTE milepost_snapshots(%s)")
        parameters.append(as_json(append.snapshots))
    cursor.execute(";".join([*parts, "COMMIT"]), parameters)
    return [position for (position,) in cursor.fetchall()]


class Factory(postgres.PostgresFactory):
    """Make recorders on the database named by `DATABASE_URL`.

    `DATABASE_CONNECTIONS` says how many connections a process may hold.
    """

    application_recorder_class = PostgresRecorder
    datastore: PostgresDatastore

    def __init__(self, env: EnvType) -> None:
        InfrastructureFactory.__init__(self, env)
        connections = self.env.get("DATABASE_CONNECTIONS")
        self.datastore = PostgresDatastore(
            self.env.get("DATABASE_URL") or "", int(connections or CONNECTIONS)
        )
