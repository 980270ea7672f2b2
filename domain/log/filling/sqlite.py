"""Filling an empty store in SQLite; its twin is `postgres.py`."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Sequence

import msgspec

from domain.job.keys.key import Key
from domain.log.bounded import within_bytes
from domain.log.connections.sqlite import translated
from domain.log.reading.contract import NEWEST, Recalled
from domain.log.reading.sqlite import SELECT_HISTORY, recall_by
from domain.log.recalling.snapshots import Snapshot
from domain.log.statements.sqlite import (
    CLAIM_KEY,
    INSERT_PLACED,
    KEEP_SNAPSHOT,
    POINT_KEY,
    key_row,
)
from domain.log.stored import Stored


class SQLiteFilling:
    """Fill an empty store over the cursor of one transaction."""

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
            self._cursor.executemany(CLAIM_KEY, map(key_row, claims))
            self._cursor.executemany(POINT_KEY, map(key_row, pointers))
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
