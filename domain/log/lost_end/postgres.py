"""Losses in the PostgreSQL database of the events; its twin is `sqlite.py`."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final, LiteralString

import msgspec

from domain.log.connections.postgres import ONE_AT_A_TIME, PostgresDatastore
from domain.log.lost_end.contract import Loss

CREATE: Final[LiteralString] = """
    CREATE TABLE IF NOT EXISTS milepost_lost_ends (
      id text PRIMARY KEY,
      noticed_at text NOT NULL,
      position bigint NOT NULL,
      job_id text NOT NULL,
      version bigint NOT NULL,
      seen_at text NOT NULL,
      log_position bigint NOT NULL,
      agreed_position bigint NOT NULL,
      agreed_at text,
      acknowledged_at text,
      reason text)
"""
COLUMNS: Final[LiteralString] = """
    id, noticed_at, position, job_id, version, seen_at, log_position, agreed_position, agreed_at,
    acknowledged_at, reason
"""
SELECT: Final[LiteralString] = f"SELECT {COLUMNS} FROM milepost_lost_ends ORDER BY noticed_at, id"
INSERT: Final[LiteralString] = f"""
    INSERT INTO milepost_lost_ends ({COLUMNS})
    SELECT %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s
     WHERE NOT EXISTS (SELECT FROM milepost_lost_ends WHERE id <> ALL (%s))
"""
ACKNOWLEDGE: Final = """
    UPDATE milepost_lost_ends SET acknowledged_at = %s, reason = %s WHERE acknowledged_at IS NULL
"""


class PostgresLosses:
    """Store losses beside the events."""

    datastore: PostgresDatastore

    def losses(self) -> Sequence[Loss]:
        """See `Losses.losses`."""
        return [msgspec.convert(row, Loss) for row in self.datastore.rows(SELECT)]

    def report_loss(self, loss: Loss, known: Collection[str]) -> bool:
        """See `Losses.report_loss`."""
        columns = msgspec.to_builtins(loss).values()
        with self.datastore.transaction(commit=True) as cursor:
            cursor.execute(ONE_AT_A_TIME)
            return cursor.execute(INSERT, (*columns, list(known))).rowcount > 0

    def acknowledge_losses(self, at: datetime, reason: str | None) -> int:
        """See `Losses.acknowledge_losses`."""
        with self.datastore.transaction(commit=True) as cursor:
            return cursor.execute(ACKNOWLEDGE, (at.isoformat(), reason)).rowcount
