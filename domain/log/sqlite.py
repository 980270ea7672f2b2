"""The event store in a SQLite file; its twin is `postgres.py`."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, ClassVar

import msgspec
from eventsourcing import sqlite

from domain.job.keys.key import Key
from domain.log.clock import utc_now
from domain.log.connections.sqlite import SQLiteDatastore
from domain.log.filling.sqlite import SQLiteFilling
from domain.log.lost_end import sqlite as lost_end
from domain.log.parameters import as_json
from domain.log.reading.sqlite import SQLiteLog
from domain.log.schema.sqlite import SQLiteSchema
from domain.log.statements.sqlite import (
    CLAIM_KEY,
    COUNT_EVENTS,
    FORGET,
    INSERT_EVENT,
    KEEP_SNAPSHOT,
    PART,
    POINT_KEY,
    RELEASE_KEY,
    SELECT_KEYS,
    SELECT_TAIL,
    key_row,
)
from domain.log.store import Append, Filling, Found, StoreNotEmpty
from domain.log.stored import Stored
from domain.log.vouching.local import LocalVouching

ONLY_LOOKS = "SQLITE_ONLY_LOOKS"
"""The setting that keeps connections from changing anything, with the value `yes`."""


class SQLiteRecorder(
    SQLiteLog, LocalVouching, lost_end.SQLiteLosses, sqlite.SQLiteApplicationRecorder
):
    """Store events, keys and snapshots in one SQLite file."""

    part: ClassVar = PART

    datastore: SQLiteDatastore

    def __init__(self, datastore: SQLiteDatastore, events_table_name: str = "milepost_events"):
        super().__init__(datastore, events_table_name)
        self.insert_events_statement = INSERT_EVENT
        self.clock: Callable[[], datetime] | None = None

    def now(self) -> datetime:
        """See `JobStore.now`."""
        return (self.clock or utc_now)()

    about_now = now

    def read_clock(self) -> None:
        """Do nothing: this store has the clock of its host."""

    def check_place(self) -> None:
        """See `JobStore.check_place`: the file may have been replaced or removed."""
        self.datastore.place.check()

    def create_table(self) -> None:
        """Apply the log's own schema steps; the library calls this when it makes a recorder."""
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
            cursor.execute(SELECT_KEYS, (as_json(list(names)),))
            keys = {row["name"]: Key(*row) for row in cursor.fetchall()}
            append = decide(Found(tail, keys, self.now()))
            if not append.events:
                return ()
            positions = self._insert_events(sqlite.SQLiteCursor(cursor), append.events) or ()
            cursor.executemany(RELEASE_KEY, append.releases)
            cursor.executemany(CLAIM_KEY, map(key_row, append.claims))
            cursor.executemany(POINT_KEY, map(key_row, append.pointers))
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
            yield SQLiteFilling(cursor)


def _tail(cursor: sqlite3.Cursor, known: Mapping[str, int]) -> list[Stored]:
    cursor.execute(SELECT_TAIL, (as_json(list(known.items())),))
    return [Stored(*row) for row in cursor.fetchall()]


class Factory(sqlite.SQLiteFactory):
    """Makes recorders on a SQLite file."""

    application_recorder_class: type[sqlite.SQLiteApplicationRecorder] = SQLiteRecorder
    datastore: SQLiteDatastore

    def __init__(self, env: Any) -> None:
        super().__init__(env)
        self.datastore.close()
        self.datastore = SQLiteDatastore(
            self.datastore.pool.db_name,
            originator_id_type="text",
            only_looks=self.env.get(ONLY_LOOKS) == "yes",
        )
