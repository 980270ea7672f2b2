"""Losses in the SQLite file of the events; its twin is `postgres.py`."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final, LiteralString

import msgspec

from domain.log.connections.sqlite import SQLiteDatastore
from domain.log.lost_end.contract import Loss
from domain.log.parameters import as_json

CREATE: Final[LiteralString] = """
    CREATE TABLE IF NOT EXISTS milepost_lost_ends (
      id TEXT PRIMARY KEY,
      noticed_at TEXT NOT NULL,
      position INTEGER NOT NULL,
      job_id TEXT NOT NULL,
      version INTEGER NOT NULL,
      seen_at TEXT NOT NULL,
      log_position INTEGER NOT NULL,
      agreed_position INTEGER NOT NULL,
      agreed_at TEXT,
      acknowledged_at TEXT,
      reason TEXT)
"""
COLUMNS: Final[LiteralString] = """
    id, noticed_at, position, job_id, version, seen_at, log_position, agreed_position, agreed_at,
    acknowledged_at, reason
"""
SELECT: Final[LiteralString] = f"SELECT {COLUMNS} FROM milepost_lost_ends ORDER BY noticed_at, id"
INSERT: Final[LiteralString] = f"""
    INSERT INTO milepost_lost_ends ({COLUMNS}) SELECT ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?
     WHERE NOT EXISTS (
           SELECT 1 FROM milepost_lost_ends WHERE id NOT IN (SELECT value FROM json_each(?)))
"""
ACKNOWLEDGE: Final = """
    UPDATE milepost_lost_ends SET acknowledged_at = ?, reason = ? WHERE acknowledged_at IS NULL
"""


class SQLiteLosses:
    """Store losses beside the events."""

    datastore: SQLiteDatastore

    def losses(self) -> Sequence[Loss]:
        """See `Losses.losses`."""
        with self.datastore.reading() as cursor:
            rows = cursor.execute(SELECT).fetchall()
        return [msgspec.convert(dict(row), Loss) for row in rows]

    def report_loss(self, loss: Loss, known: Collection[str]) -> bool:
        """See `Losses.report_loss`."""
        columns = msgspec.to_builtins(loss).values()
        with self.datastore.writing() as cursor:
            return cursor.execute(INSERT, (*columns, as_json(list(known)))).rowcount > 0

    def acknowledge_losses(self, at: datetime, reason: str | None) -> int:
        """See `Losses.acknowledge_losses`."""
        with self.datastore.writing() as cursor:
            return cursor.execute(ACKNOWLEDGE, (at.isoformat(), reason)).rowcount
