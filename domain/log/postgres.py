"""The event store in PostgreSQL; its twin is `sqlite.py`."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Any, ClassVar
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
from domain.log.connections import CONNECTIONS
from domain.log.connections.postgres import PostgresDatastore
from domain.log.connections.postgres_locks import LOCK_LOG
from domain.log.connections.postgres_prepared import Prepared, executed
from domain.log.filling.postgres import PostgresFilling
from domain.log.lost_end import postgres as lost_end
from domain.log.parameters import as_json
from domain.log.reading.postgres import PostgresLog
from domain.log.schema.postgres import PostgresSchema
from domain.log.statements.postgres import (
    BEGIN,
    COUNT_EVENTS,
    FORGET,
    GO_ON,
    INSERT_EVENTS,
    PART,
    PREPARED,
    SELECT_NOW,
    WAIT_FOR_EVENTS,
    WAKE,
    WHICH_SERVER,
)
from domain.log.store import (
    Append,
    Filling,
    Found,
    NothingDecided,
    StoreNotEmpty,
)
from domain.log.stored import Stored
from domain.log.vouching.postgres import VOUCH, PostgresVouching

log = logging.getLogger("milepost")

CARRIED_SECONDS = 60.0
"""How long this host's monotonic clock carries on what the database's clock said."""


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
        parts.append(executed("milepost_tail", as_json(known)))
        if names:
            parts.append(executed("milepost_keys", as_json(names)))
        cursor.execute(";".join(parts).encode())
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
            yield PostgresFilling(cursor)
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


def _write(cursor: ClientCursor[Any], append: Append) -> Sequence[int]:
    """Store everything and commit, in one round trip; return the events' positions."""
    if not append.events:
        cursor.execute(f"{VOUCH};COMMIT" if append.vouches else "COMMIT")
        return ()
    parts = [executed("milepost_append", as_json(append.events)), "EXECUTE milepost_wake"]
    if append.releases:
        releases = [{"name": name, "job_id": job} for name, job in append.releases]
        parts.append(executed("milepost_release", as_json(releases)))
    if append.claims:
        parts.append(executed("milepost_claim", as_json(append.claims)))
    if append.pointers:
        parts.append(executed("milepost_point", as_json(append.pointers)))
    if append.snapshots:
        parts.append(executed("milepost_snapshots", as_json(append.snapshots)))
    cursor.execute(";".join([*parts, "COMMIT"]).encode())
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
