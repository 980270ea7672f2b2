"""Tokens in SQLite; the twin of `postgres.py`."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import ClassVar, LiteralString

import msgspec

from api.tokens import Token, stored_time
from domain.log.connections.sqlite import SQLiteDatastore
from domain.log.parameters import as_json
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
# A table of its own: the first release reads every column of `milepost_tokens`, and on SQLite it
# writes every one.
CREATE_USES = """
    CREATE TABLE IF NOT EXISTS milepost_token_uses (
      token_id TEXT PRIMARY KEY,
      expires_at TEXT,
      last_used_at TEXT)
"""
PART: SQLitePart = Part(
    "tokens",
    (
        Step(1, ("milepost_tokens",), each(CREATE)),
        Step(2, ("milepost_token_uses",), each(CREATE_USES)),
    ),
)
INSERT = """
    INSERT INTO milepost_tokens (id, name, hash, scopes, user_id, created_at, revoked_at)
    VALUES (?, ?, ?, ?, ?, ?, ?)
"""
EXPIRE = "INSERT INTO milepost_token_uses (token_id, expires_at) VALUES (?, ?)"
TOKENS: LiteralString = """
    SELECT id, name, hash, scopes, user_id, created_at, revoked_at, expires_at, last_used_at
      FROM milepost_tokens LEFT JOIN milepost_token_uses ON token_id = id
"""
SELECT: LiteralString = f"{TOKENS} WHERE id = ?"
SELECT_SOME: LiteralString = f"""
    {TOKENS} WHERE id IN (SELECT value FROM json_each(?))
"""
SELECT_ALL: LiteralString = f"{TOKENS} ORDER BY created_at, id"
USE = """
    INSERT INTO milepost_token_uses (token_id, last_used_at) VALUES (?, ?)
    ON CONFLICT (token_id) DO UPDATE SET last_used_at = excluded.last_used_at
"""
REVOKE = "UPDATE milepost_tokens SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL"


class SQLiteTokens:
    """Store tokens beside the events."""

    part: ClassVar = PART

    def __init__(self, datastore: SQLiteDatastore) -> None:
        self._datastore = datastore

    def add(self, token: Token) -> None:
        """See `TokenStore.add`."""
        with self._datastore.writing() as cursor:
            cursor.execute(INSERT, msgspec.structs.astuple(token)[:7])
            if token.expires_at:
                cursor.execute(EXPIRE, (token.id, token.expires_at))

    def find(self, token_id: str) -> Token | None:
        """See `TokenStore.find`."""
        with self._datastore.reading() as cursor:
            row = cursor.execute(SELECT, (token_id,)).fetchone()
        return Token(*row) if row else None

    def used(self, token: Token, now: datetime) -> None:
        """See `TokenLookup.used`."""
        with self._datastore.writing() as cursor:
            cursor.execute(USE, (token.id, stored_time(now)))

    def some(self, token_ids: Collection[str]) -> Sequence[Token]:
        """See `TokenStore.some`."""
        with self._datastore.reading() as cursor:
            rows = cursor.execute(SELECT_SOME, (as_json(list(token_ids)),))
            return [Token(*row) for row in rows]

    def all(self) -> Sequence[Token]:
        """See `TokenStore.all`."""
        with self._datastore.reading() as cursor:
            return [Token(*row) for row in cursor.execute(SELECT_ALL)]

    def revoke(self, token_id: str, revoked_at: str) -> bool:
        """See `TokenStore.revoke`."""
        with self._datastore.writing() as cursor:
            return cursor.execute(REVOKE, (revoked_at, token_id)).rowcount == 1
