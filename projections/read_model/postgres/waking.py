"""The projector's lock, and what wakes its holder and other followers of the log."""

from __future__ import annotations

import select
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from time import monotonic
from typing import Any, Protocol

import psycopg
from eventsourcing.persistence import OperationalError
from psycopg import Cursor, Notify
from psycopg.rows import tuple_row

from domain.log.connections.postgres_locks import LOCK_PROJECTOR, LOG
from projections.read_model.contract import WakeUps
from projections.read_model.interruption import Interruption
from projections.read_model.postgres.statements import Statements

LISTEN = "LISTEN milepost_events"
SELECT_LOG = f"SELECT {LOG}::oid::text"
FROM_AN_EARLIER_RELEASE = ""
"""The payload of its wake-ups: it wakes the projectors of all logs in the database."""


class Waking(Statements):
    """One projector at a time, woken by every append."""

    def wake(self) -> None:
        """Do nothing: every append sends a NOTIFY."""

    @contextmanager
    def wake_ups(self) -> Iterator[WakeUps]:
        """See `ReadModel.wake_ups`."""
        try:
            with self._datastore.session() as connection:
                with _listening(connection.cursor(row_factory=tuple_row)) as listener:
                    yield listener
        except psycopg.Error as error:
            raise OperationalError(str(error)) from error

    @contextmanager
    def projector_lock(self) -> Iterator[WakeUps | None]:
        """See `ReadModel.projector_lock`."""
        # A session lock on a connection of its own: the server releases it when the process ends.
        try:
            with self._datastore.session() as connection:
                cursor = connection.cursor(row_factory=tuple_row)
                [(is_locked,)] = cursor.execute(LOCK_PROJECTOR)
                if not is_locked:
                    yield None
                    return
                with _listening(cursor) as listener:
                    yield listener
        except psycopg.Error as error:
            raise OperationalError(str(error)) from error


@contextmanager
def _listening(cursor: Cursor[tuple[Any, ...]]) -> Iterator[WakeUpsOf]:
    cursor.execute(LISTEN)
    [(this_log,)] = cursor.execute(SELECT_LOG)
    with closing(Interruption()) as interruption:
        yield WakeUpsOf(cursor.connection, this_log, interruption)


class Listening(Protocol):
    """A connection that has said LISTEN."""

    def fileno(self) -> int:
        """Return the connection's socket."""
        ...

    def notifies(self, *, timeout: float | None = None) -> Iterable[Notify]:
        """Yield what is heard, for so many seconds."""
        ...


class WakeUpsOf:
    """The wake-ups of one log, among those of all logs in the database."""

    def __init__(self, connection: Listening, this_log: str, interruption: Interruption) -> None:
        self._connection = connection
        self._meant = {this_log, FROM_AN_EARLIER_RELEASE}
        self._interruption = interruption

    def wait(self, seconds: float) -> None:
        """See `WakeUps.wait`."""
        until = monotonic() + seconds
        poll = select.poll()
        poll.register(self._interruption, select.POLLIN)
        poll.register(self._connection, select.POLLIN)
        while (left := until - monotonic()) > 0:
            ready = dict(poll.poll(left * 1000))
            if self._interruption.fileno() in ready or (ready and self._has_heard()):
                return

    def interrupt(self) -> None:
        """See `WakeUps.interrupt`."""
        self._interruption.say()

    def _has_heard(self) -> bool:
        return any(each.payload in self._meant for each in self._connection.notifies(timeout=0))
