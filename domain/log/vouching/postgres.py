"""Vouching in PostgreSQL: a commit of its own waits for the synchronous standby."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from threading import Timer
from typing import Any, Final, LiteralString

from eventsourcing.persistence import InterfaceError, OperationalError
from psycopg import ClientCursor, Connection

from domain.log.connections.postgres import PostgresDatastore
from domain.log.reading.postgres import STORED
from domain.log.refusals import NotReplicated
from domain.log.stored import Stored
from domain.log.vouching.contract import NotDurableYet

# Commits wait for a synchronous standby only if they write. This is the smallest write there is. A
# standby itself writes nothing, and awaits nobody.
VOUCH: Final[LiteralString] = """
    SELECT pg_logical_emit_message(true, 'milepost', '')
     WHERE current_setting('synchronous_standby_names') <> '' AND NOT pg_is_in_recovery()
"""
SELECT_EVENTS: Final[LiteralString] = f"""
    SELECT {STORED} FROM milepost_events WHERE notification_id = ANY (%s)
"""


class PostgresVouching:
    """Wait for the standby as a commit does, which then has all earlier commits, too."""

    datastore: PostgresDatastore

    def vouched(self, positions: Collection[int], seconds: float) -> Sequence[Stored]:
        """See `Vouching.vouched`."""
        try:
            return self._vouched(positions, seconds)
        except (InterfaceError, OperationalError) as error:
            if isinstance(error.__cause__, NotReplicated):
                raise NotDurableYet from error
            self.datastore.discard_dead(error)
            return self._vouched(positions, seconds)

    def _vouched(self, positions: Collection[int], seconds: float) -> Sequence[Stored]:
        with self.datastore.spelled_out() as cursor:
            # Read in the same transaction: after a failover, another server may lack the events.
            cursor.execute(f"BEGIN;{VOUCH};{SELECT_EVENTS}", [list(positions)])
            found = _last(cursor)
            self.datastore.commit_warnings.forget(cursor.connection)
            with _limited(cursor.connection, seconds):
                cursor.execute("COMMIT")
            self.datastore.commit_warnings.refuse(cursor.connection)
            return found


def _last(cursor: ClientCursor[tuple[Any, ...]]) -> Sequence[Stored]:
    for _ in ("BEGIN", "VOUCH"):
        cursor.nextset()
    return [Stored(*row) for row in cursor.fetchall()]


@contextmanager
def _limited(connection: Connection[Any], seconds: float) -> Iterator[None]:
    """Cancel what the connection does after so many seconds.

    PostgreSQL has no limit for a wait for a standby. A wait that is cancelled ends with a warning.
    """
    timer = Timer(seconds, connection.cancel_safe)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        # A late cancellation must not meet the next statement of this connection.
        timer.join()
