"""Sessions in SQLite; the twin of `postgres.py`."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import ClassVar

import msgspec

from api.sessions import MOST_OF_ONE, Session, unused_since
from api.tokens import stored_time
from domain.log.connections.sqlite import SQLiteDatastore
from domain.log.parameters import as_json
from domain.log.schema.sqlite import SQLitePart
from domain.log.schema.steps import Part, Step, each

CREATE = """
    CREATE TABLE IF NOT EXISTS milepost_sessions (
      hash TEXT PRIMARY KEY,
      issuer TEXT NOT NULL,
      made_at TEXT NOT NULL,
      ends_at TEXT NOT NULL,
      seen_at TEXT NOT NULL)
"""
PART: SQLitePart = Part("sessions", (Step(1, ("milepost_sessions",), each(CREATE)),))
INSERT = """
    INSERT INTO milepost_sessions (hash, issuer, made_at, ends_at, seen_at)
    VALUES (?, ?, ?, ?, ?)
"""
SELECT = "SELECT hash, issuer, made_at, ends_at, seen_at FROM milepost_sessions WHERE hash = ?"
SELECT_SOME = """
    SELECT hash, issuer, made_at, ends_at, seen_at
      FROM milepost_sessions WHERE hash IN (SELECT value FROM json_each(?))
"""
SEE = "UPDATE milepost_sessions SET seen_at = ? WHERE hash = ?"
DELETE = "DELETE FROM milepost_sessions WHERE hash = ?"
DELETE_ENDED = "DELETE FROM milepost_sessions WHERE ends_at <= ? OR seen_at <= ?"
DELETE_MANY = """
    DELETE FROM milepost_sessions WHERE hash IN (
      SELECT hash FROM milepost_sessions WHERE issuer = ?
       ORDER BY seen_at DESC, hash DESC LIMIT -1 OFFSET ?)
"""


class SQLiteSessions:
    """Store sessions beside the events."""

    part: ClassVar = PART

    def __init__(self, datastore: SQLiteDatastore, most_of_one: int = MOST_OF_ONE) -> None:
        self._datastore = datastore
        self._most_of_one = most_of_one

    def add(self, session: Session) -> None:
        """See `SessionStore.add`."""
        unused = unused_since(datetime.fromisoformat(session.made_at))
        with self._datastore.writing() as cursor:
            cursor.execute(DELETE_ENDED, (session.made_at, unused))
            cursor.execute(DELETE_MANY, (session.issuer, self._most_of_one - 1))
            cursor.execute(INSERT, msgspec.structs.astuple(session))

    def find(self, hash_: str) -> Session | None:
        """See `SessionLookup.find`."""
        with self._datastore.reading() as cursor:
            row = cursor.execute(SELECT, (hash_,)).fetchone()
        return Session(*row) if row else None

    def seen(self, session: Session, now: datetime) -> None:
        """See `SessionLookup.seen`."""
        with self._datastore.writing() as cursor:
            cursor.execute(SEE, (stored_time(now), session.hash))

    def some(self, hashes: Collection[str]) -> Sequence[Session]:
        """See `SessionStore.some`."""
        with self._datastore.reading() as cursor:
            rows = cursor.execute(SELECT_SOME, (as_json(list(hashes)),))
            return [Session(*row) for row in rows]

    def end(self, hash_: str) -> None:
        """See `SessionStore.end`."""
        with self._datastore.writing() as cursor:
            cursor.execute(DELETE, (hash_,))
