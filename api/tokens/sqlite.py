"""Tokens in SQLite; the twin of `postgres.py`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import msgspec

from api.tokens import Token
from domain.log.connections.sqlite import SQLiteDatastore
from domain.log.schema.sqlite import SQLitePart
from domain.log.schema.steps import Part, Step, each

CREATE = """
    CREATE TABLE IF NOT EXISTS milepost_tokens (
      id TEXT PRIMARY KEY,
      name TEXT NOT NULL,
      hash TEXT NOT NULL,
      scopes TEXT NOT NULL,
      user_id TEXT,
      created_at TEXT NOT NULL,
      revoked_at TEXT)
"""
PART: SQLitePart = Part("tokens", (Step(1, ("milepost_tokens",), each(CREATE)),))
INSERT = "INSERT INTO milepost_tokens VALUES (?, ?, ?, ?, ?, ?, ?)"
SELECT = "SELECT * FROM milepost_tokens WHERE id = ?"
SELECT_ALL = "SELECT * FROM milepost_tokens ORDER BY created_at, id"
REVOKE = "UPDATE milepost_tokens SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL"


class SQLiteTokens:
    """Store tokens beside the events."""

    part: ClassVar = PART

    def __init__(self, datastore: SQLiteDatastore) -> None:
        self._datastore = datastore

    def add(self, token: Token) -> None:
        """See `TokenStore.add`."""
        with self._datastore.writing() as cursor:
            cursor.execute(INSERT, msgspec.structs.astuple(token))

    def find(self, token_id: str) -> Token | None:
        """See `TokenStore.find`."""
        with self._datastore.reading() as cursor:
            row = cursor.execute(SELECT, (token_id,)).fetchone()
        return Token(*row) if row else None

    def all(self) -> Sequence[Token]:
        """See `TokenStore.all`."""
        with self._datastore.reading() as cursor:
            return [Token(*row) for row in cursor.execute(SELECT_ALL)]

    def revoke(self, token_id: str, revoked_at: str) -> bool:
        """See `TokenStore.revoke`."""
        with self._datastore.writing() as cursor:
            return cursor.execute(REVOKE, (revoked_at, token_id)).rowcount == 1
