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
from domain.log.bounded import within_bytes
from domain.log.clock import utc_now
from domain.log.connections.sqlite import SQLiteDatastore, translated
from domain.log.lost_end import sqlite as lost_end
from domain.log.parameters import as_json
from domain.log.reading.contract import NEWEST, Recalled
from domain.log.reading.sqlite import SELECT_HISTORY, SQLiteLog, recall_by
from domain.log.recalling.snapshots import Snapshot
from domain.log.schema.sqlite import SQLiteSchema
from domain.log.statements.sqlite import (
    CLAIM_KEY,
    COUNT_EVENTS,
    FORGET,
    INSERT_EVENT,
    INSERT_PLACED,
    KEEP_SNAPSHOT,
    PART,
    POINT_KEY,
    RELEASE_KEY,
    SELECT_KEYS,
    SELECT_TAIL,
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


class _Filling:
    def __init__(self, cursor: sqlite3.Cursor) -> None:
        self._cursor = cursor

    def append(
        self,
        events: Sequence[Stored],
        claims: Sequence[Key] = (),
        pointers: Sequence[Key] = (),
        snapshots: Sequence[Snapshot] = (),
    ) -> None:
        """See `Filling.append`. AUTOINCREMENT goes on after the largest position by itself."""
        with translated():
            rows = [(e.job_id, e.version, e.topic, e.state, e.position) for e in events]
            self._cursor.executemany(INSERT_PLACED, rows)
            self._cursor.executemany(CLAIM_KEY, [_row(key) for key in claims])
            self._cursor.executemany(POINT_KEY, [_row(key) for key in pointers])
            self._cursor.executemany(KEEP_SNAPSHOT, map(msgspec.structs.astuple, snapshots))

    def recall(self, job_ids: Collection[str]) -> Recalled:
        """See `Recalling.recall`."""
        return recall_by(self._cursor, job_ids)

    def history(
        self, job_id: str, after: int = 0, until: int = NEWEST, limit: int = NEWEST
    ) -> Sequence[Stored]:
        """See `Recalling.history`."""
        self._cursor.execute(SELECT_HISTORY, (job_id, after, until, limit))
        return within_bytes(Stored(*row) for row in self._cursor)


def _tail(cursor: sqlite3.Cursor, known: Mapping[str, int]) -> list[Stored]:
    cursor.execute(SELECT_TAIL, (as_json(list(known.items())),))
    return [Stored(*row) for row in cursor.fetchall()]


def _row(key: Key) -> tuple[str, str, int, str]:
    return key.name, key.job_id, key.version, key.digest


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
