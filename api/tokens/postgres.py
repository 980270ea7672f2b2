"""Tokens in PostgreSQL; the twin of `sqlite.py`."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import ClassVar, LiteralString

import msgspec

from api.tokens import Token, stored_time
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
# A table of its own: the first release reads every column of `milepost_tokens`, and on SQLite it
# writes every one.
CREATE_USES = """
    CREATE TABLE IF NOT EXISTS milepost_token_uses (
      token_id text PRIMARY KEY,
      expires_at text,
      last_used_at text)
"""
PART: PostgresPart = Part(
    "tokens",
    (
        Step(1, ("milepost_tokens",), each(CREATE)),
        Step(2, ("milepost_token_uses",), each(CREATE_USES)),
    ),
)
INSERT = """
    INSERT INTO milepost_tokens (id, name, hash, scopes, user_id, created_at, revoked_at)
    VALUES (%s, %s, %s, %s, %s, %s, %s)
"""
EXPIRE = "INSERT INTO milepost_token_uses (token_id, expires_at) VALUES (%s, %s)"
TOKENS: LiteralString = """
    SELECT id, name, hash, scopes, user_id, created_at, revoked_at, expires_at, last_used_at
      FROM milepost_tokens LEFT JOIN milepost_token_uses ON token_id = id
"""
SELECT: LiteralString = f"{TOKENS} WHERE id = %s"
SELECT_SOME: LiteralString = f"{TOKENS} WHERE id = ANY (%s)"
SELECT_ALL: LiteralString = f"{TOKENS} ORDER BY created_at, id"
USE = """
    INSERT INTO milepost_token_uses (token_id, last_used_at) VALUES (%s, %s)
    ON CONFLICT (token_id) DO UPDATE SET last_used_at = excluded.last_used_at
"""
IS_READ_ONLY = "SELECT current_setting('transaction_read_only') = 'on' AS yes"
REVOKE = "UPDATE milepost_tokens SET revoked_at = %s WHERE id = %s AND revoked_at IS NULL"


class PostgresTokens:
    """Store tokens beside the events."""

    part: ClassVar = PART

    def __init__(self, datastore: PostgresDatastore) -> None:
        self._datastore = datastore

    def add(self, token: Token) -> None:
        """See `TokenStore.add`."""
        with self._datastore.transaction(commit=True) as cursor:
            cursor.execute(INSERT, msgspec.structs.astuple(token)[:7])
            if token.expires_at:
                cursor.execute(EXPIRE, (token.id, token.expires_at))

    def find(self, token_id: str) -> Token | None:
        """See `TokenStore.find`."""
        rows = self._datastore.rows(SELECT, (token_id,))
        return Token(**rows[0]) if rows else None

    def used(self, token: Token, now: datetime) -> None:
        """See `TokenLookup.used`; on a database that takes no writes, do nothing."""
        if not self._datastore.rows(IS_READ_ONLY)[0]["yes"]:
            with self._datastore.transaction(commit=True) as cursor:
                cursor.execute(USE, (token.id, stored_time(now)))

    def some(self, token_ids: Collection[str]) -> Sequence[Token]:
        """See `TokenStore.some`."""
        return [Token(**row) for row in self._datastore.rows(SELECT_SOME, (list(token_ids),))]

    def all(self) -> Sequence[Token]:
        """See `TokenStore.all`."""
        return [Token(**row) for row in self._datastore.rows(SELECT_ALL)]

    def revoke(self, token_id: str, revoked_at: str) -> bool:
        """See `TokenStore.revoke`."""
        with self._datastore.transaction(commit=True) as cursor:
            return cursor.execute(REVOKE, (revoked_at, token_id)).rowcount == 1
