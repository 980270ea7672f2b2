"""Filling an empty store in PostgreSQL; its twin is `sqlite.py`."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from psycopg import ClientCursor

from domain.job.keys.key import Key
from domain.log.parameters import as_json
from domain.log.reading.contract import NEWEST, Recalled, recalled
from domain.log.reading.postgres import SELECT_HISTORY, SELECT_RECALLED
from domain.log.recalling.snapshots import Snapshot
from domain.log.statements.postgres import (
    CLAIM_KEYS,
    INSERT_PLACED,
    KEEP_SNAPSHOTS,
    POINT_KEYS,
)
from domain.log.stored import Stored


class PostgresFilling:
    """Fill an empty store over the cursor of one transaction."""

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
