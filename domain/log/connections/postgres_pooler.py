"""Poolers such as PgBouncer: whether a connection through one has a session of its own.

In session mode it has. In transaction mode, each transaction may run in another session. That one
has neither the locks, nor LISTEN, nor the prepared statements and settings of the one before.
Everything seems to work as long as one client is there. A pooler does not say in which mode it is.
So two connections are compared: two sessions at the same time have two process numbers.
"""

from __future__ import annotations

import select
from collections.abc import Callable
from contextlib import ExitStack, closing
from time import monotonic
from typing import Any, Final

from psycopg import Connection, OperationalError
from psycopg.pq import ExecStatus
from psycopg.pq.abc import PGresult

from domain.log.connections.postgres_session import UnfitDatabase

OTHERS: Final = 4
"""How many further connections are compared. A pooler that lends its sessions in turn lends others
first."""
SECONDS: Final = 2
"""How long to wait for an answer. A pooler that has no session left lets its clients wait."""
SESSION: Final = b"SELECT pg_backend_pid()"


def refuse_shared_sessions(
    connection: Connection[Any], another: Callable[[], Connection[Any]]
) -> None:
    """Raise `UnfitDatabase` if a transaction elsewhere can take the session of this connection.

    `another` opens a further connection, or raises `OperationalError` if none comes within
    `SECONDS`.
    """
    with ExitStack() as opened:
        first = _session(connection, SESSION)
        for _ in range(OTHERS):
            try:
                other = opened.enter_context(closing(another()))
            except OperationalError:
                return  # All sessions are in use, so this connection has one of its own.
            held = _session(other, b"BEGIN;" + SESSION)
            if held is None:
                return
            if held == first or first != _session(connection, SESSION):
                raise UnfitDatabase(_WANTED)


_WANTED: Final = (
    "a pooler gives each transaction another session (PgBouncer: pool_mode = transaction), and "
    "Milepost needs sessions of its own: set pool_mode = session for this database, or name "
    "PostgreSQL itself in MILEPOST_DATABASE_URL"
)


def _session(connection: Connection[Any], statements: bytes) -> int | None:
    """Return the process that answers the last statement; None if no answer comes in time."""
    pgconn = connection.pgconn
    pgconn.send_query(statements)
    pgconn.flush()
    answer: PGresult | None = None
    deadline = monotonic() + SECONDS
    while True:
        while not pgconn.is_busy():
            result = pgconn.get_result()
            if result is None:
                return _read(answer)
            answer = result
            if result.status == ExecStatus.FATAL_ERROR:
                raise UnfitDatabase(f"{_WANTED}; it said: {result.error_message.decode().strip()}")
        if not select.select([pgconn.socket], [], [], max(0.0, deadline - monotonic()))[0]:
            return None
        pgconn.consume_input()


def _read(answer: PGresult | None) -> int:
    assert answer is not None
    return int(answer.get_value(0, 0) or 0)
