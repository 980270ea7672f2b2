"""Sessions in PostgreSQL; the twin of `sqlite.py`."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import ClassVar

import msgspec

from api.sessions import MOST_OF_ONE, Session, unused_since
from api.tokens import stored_time
from domain.log.connections.postgres import PostgresDatastore
from domain.log.schema.postgres import PostgresPart
from domain.log.schema.steps import Part, Step, each

CREATE = """
    CREATE TABLE IF NOT EXISTS milepost_sessions (
      hash text PRIMARY KEY,
      issuer text NOT NULL,
      made_at text NOT NULL,
      ends_at text NOT NULL,
      seen_at text NOT NULL)
"""
PART: PostgresPart = Part("sessions", (Step(1, ("milepost_sessions",), each(CREATE)),))
INSERT = """
    INSERT INTO milepost_sessions (hash, issuer, made_at, ends_at, seen_at)
    VALUES (%s, %s, %s, %s, %s)
"""
SELECT = "SELECT hash, issuer, made_at, ends_at, seen_at FROM milepost_sessions WHERE hash = %s"
SELECT_SOME = """
    SELECT hash, issuer, made_at, ends_at, seen_at
      FROM milepost_sessions WHERE hash = ANY (%s)
"""
IS_READ_ONLY = "SELECT current_setting('transaction_read_only') = 'on' AS yes"
SEE = "UPDATE milepost_sessions SET seen_at = %s WHERE hash = %s"
DELETE = "DELETE FROM milepost_sessions WHERE hash = %s"
DELETE_ENDED = "DELETE FROM milepost_sessions WHERE ends_at <= %s OR seen_at <= %s"
DELETE_MANY = """
    DELETE FROM milepost_sessions WHERE hash IN (
      SELECT hash FROM milepost_sessions WHERE issuer = %s
       ORDER BY seen_at DESC, hash DESC OFFSET %s)
"""


class PostgresSessions:
    """Store sessions beside the events."""

    part: ClassVar = PART

    def __init__(self, datastore: PostgresDatastore, most_of_one: int = MOST_OF_ONE) -> None:
        self._datastore = datastore
        self._most_of_one = most_of_one

    def add(self, session: Session) -> None:
        """See `SessionStore.add`."""
        unused = unused_since(datetime.fromisoformat(session.made_at))
        with self._datastore.transaction(commit=True) as cursor:
            cursor.execute(DELETE_ENDED, (session.made_at, unused))
            cursor.execute(DELETE_MANY, (session.issuer, self._most_of_one - 1))
            cursor.execute(INSERT, msgspec.structs.astuple(session))

    def find(self, hash_: str) -> Session | None:
        """See `SessionLookup.find`."""
        rows = self._datastore.rows(SELECT, (hash_,))
        return Session(**rows[0]) if rows else None

    def seen(self, session: Session, now: datetime) -> None:
        """See `SessionLookup.seen`; on a database that takes no writes, do nothing."""
        if not self._datastore.rows(IS_READ_ONLY)[0]["yes"]:
            with self._datastore.transaction(commit=True) as cursor:
                cursor.execute(SEE, (stored_time(now), session.hash))

    def some(self, hashes: Collection[str]) -> Sequence[Session]:
        """See `SessionStore.some`."""
        return [Session(**row) for row in self._datastore.rows(SELECT_SOME, (list(hashes),))]

    def end(self, hash_: str) -> None:
        """See `SessionStore.end`."""
        with self._datastore.transaction(commit=True) as cursor:
            cursor.execute(DELETE, (hash_,))
