"""Tokens in PostgreSQL; the twin of `sqlite.py`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import msgspec

from api.tokens import Token
from domain.log.connections.postgres import PostgresDatastore
from domain.log.schema.postgres import PostgresPart
from domain.log.schema.steps import Part, Step, each

CREATE = """
    CREATE TABLE IF NOT EXISTS milepost_tokens (
      id text PRIMARY KEY,
      name text NOT NULL,
      hash text NOT NULL,
      scopes text NOT NULL,
      user_id text,
      created_at text NOT NULL,
      revoked_at text)
"""
PART: PostgresPart = Part("tokens", (Step(1, ("milepost_tokens",), each(CREATE)),))
INSERT = "INSERT INTO milepost_tokens VALUES (%s, %s, %s, %s, %s, %s, %s)"
SELECT = "SELECT * FROM milepost_tokens WHERE id = %s"
SELECT_ALL = "SELECT * FROM milepost_tokens ORDER BY created_at, id"
REVOKE = "UPDATE milepost_tokens SET revoked_at = %s WHERE id = %s AND revoked_at IS NULL"


class PostgresTokens:
    """Store tokens beside the events."""

    part: ClassVar = PART

    def __init__(self, datastore: PostgresDatastore) -> None:
        self._datastore = datastore

    def add(self, token: Token) -> None:
        """See `TokenStore.add`."""
        with self._datastore.transaction(commit=True) as cursor:
            cursor.execute(INSERT, msgspec.structs.astuple(token))

    def find(self, token_id: str) -> Token | None:
        """See `TokenStore.find`."""
        rows = self._datastore.rows(SELECT, (token_id,))
        return Token(**rows[0]) if rows else None

    def all(self) -> Sequence[Token]:
        """See `TokenStore.all`."""
        return [Token(**row) for row in self._datastore.rows(SELECT_ALL)]

    def revoke(self, token_id: str, revoked_at: str) -> bool:
        """See `TokenStore.revoke`."""
        with self._datastore.transaction(commit=True) as cursor:
            return cursor.execute(REVOKE, (revoked_at, token_id)).rowcount == 1
