"""The projector's lock, and what wakes its holder and other followers of the log."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from eventsourcing.persistence import OperationalError

from projections.read_model.contract import WakeUps
from projections.read_model.postgres.statements import Statements

LOCK_PROJECTOR = "SELECT pg_try_advisory_lock(hashtext('milepost projector'))"
LISTEN = "LISTEN milepost_events"


class Waking(Statements):
    """One projector at a time, woken by every append."""

    def wake(self) -> None:
        """Do nothing: every append sends a NOTIFY."""

    @contextmanager
    def wake_ups(self) -> Iterator[WakeUps]:
        """See `ReadModel.wake_ups`."""
        try:
            with self._datastore.session() as connection:
                connection.execute(LISTEN)
                yield _WakeUps(connection)
        except psycopg.Error as error:
            raise OperationalError(str(error)) from error

    @contextmanager
    def projector_lock(self) -> Iterator[WakeUps | None]:
        """See `ReadModel.projector_lock`."""
        # A session lock on a connection of its own: the server releases it when the process ends.
        try:
            with self._datastore.session() as connection:
                locked = connection.execute(LOCK_PROJECTOR).fetchone()
                if not (locked and locked[0]):
                    yield None
                    return
                connection.execute(LISTEN)
                yield _WakeUps(connection)
        except psycopg.Error as error:
            raise OperationalError(str(error)) from error


class _WakeUps:
    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection

    def wait(self, seconds: float) -> None:
        """See `WakeUps.wait`."""
        for _ in self._connection.notifies(timeout=seconds, stop_after=1):
            pass
