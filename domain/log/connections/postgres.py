"""Connections to PostgreSQL: pooled, impatient, and replaced when they have died."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import Lock
from typing import Any, LiteralString, TypeVar

import psycopg
from eventsourcing import postgres
from eventsourcing.persistence import InterfaceError, OperationalError, PersistenceError
from psycopg import ClientCursor, Connection, conninfo
from psycopg.errors import InvalidSqlStatementName, LockNotAvailable, ReadOnlySqlTransaction
from psycopg.pq import TransactionStatus
from psycopg.rows import DictRow, RowFactory, RowMaker, dict_row, tuple_row
from psycopg_pool import PoolTimeout

from domain.log.connections import CONNECTIONS, postgres_pooler, postgres_session
from domain.log.connections.postgres_warnings import CommitWarnings
from domain.log.stored import Stored

R = TypeVar("R")
POOL_SIZE = 1
"""How many connections a process keeps while it does nothing.

The pool lends its connections in turn. Of several, each server process would do a part of the
commits, with caches that the others have cooled meanwhile.
"""
IDLE_SECONDS = 10.0
"""A connection that was needed by nobody for so long is closed, one after the other."""
PATIENCE_SECONDS = 3.0
"""How long a caller waits for a connection before it hears that the database is away."""

# Against a peer that is gone without a word; libpq's own settings in the URL go before these.
DEFAULTS: dict[str, Any] = {
    "connect_timeout": int(PATIENCE_SECONDS),
    "tcp_user_timeout": 10_000,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "target_session_attrs": "read-write",
    "fallback_application_name": "milepost",
}


class PostgresDatastore(postgres.PostgresDatastore):
    """The library's datastore, opened by a libpq connection string with all that libpq knows."""

    def __init__(
        self, dsn: str, connections: int = CONNECTIONS, idle_seconds: float = IDLE_SECONDS
    ) -> None:
        super().__init__(
            "",
            "",
            "",
            "",
            "",
            originator_id_type="text",
            connect_timeout=PATIENCE_SECONDS,
            pool_size=POOL_SIZE,
            max_overflow=connections - POOL_SIZE,
        )
        self.commit_warnings = CommitWarnings()
        self._is_pooler_fit = False
        self._one_asks = Lock()
        self._conninfo: dict[str, Any] = {
            **DEFAULTS,
            **conninfo.conninfo_to_dict(dsn),
            **postgres_session.STARTUP,
        }
        self.pool.kwargs = {"row_factory": dict_row, **self._conninfo}
        # Give up soon and try afresh on demand, rather than back off for minutes.
        self.pool.reconnect_timeout = PATIENCE_SECONDS
        self.pool.max_idle = idle_seconds

    def after_connect_func(self) -> Callable[[Connection[Any]], None]:
        """Return what prepares a new connection of the pool."""

        def after_connect(connection: Connection[Any]) -> None:
            self._begin(connection)
            self.commit_warnings.watch(connection)

        return after_connect

    @contextmanager
    def session(self) -> Iterator[Connection[Any]]:
        """Yield a connection that no other thread gets; raise `psycopg.Error`.

        A lock of its session ends with it, also when the process crashes.
        """
        with psycopg.connect(**self._conninfo) as connection:
            self._begin(connection)
            yield connection

    def _begin(self, connection: Connection[Any]) -> None:
        if not postgres_session.begin(connection):
            with self._one_asks:
                if not self._is_pooler_fit:
                    postgres_pooler.refuse_shared_sessions(connection, self._another)
                    self._is_pooler_fit = True

    def _another(self) -> Connection[Any]:
        soon = {**self._conninfo, "connect_timeout": postgres_pooler.SECONDS}
        return psycopg.connect(**soon)

    def register_type_adapters(self) -> None:
        """Do nothing: we pass arrays, and need no connection before the first statement."""

    @contextmanager
    def get_connection(self) -> Iterator[Connection[DictRow]]:
        """Lend a connection; keep none that has become read-only or that somebody has reset.

        A connection is read-only after a failover. A pooler that resets a session discards its
        prepared statements with its settings: for the caller, such a connection has died.
        """
        with super().get_connection() as connection:
            try:
                yield connection
            except ReadOnlySqlTransaction:
                connection.close()
                raise
            except InvalidSqlStatementName as error:
                connection.close()
                raise OperationalError(f"the session was reset: {error}") from error

    @contextmanager
    def spelled_out(self) -> Iterator[ClientCursor[tuple[Any, ...]]]:
        """Lend a cursor for statements that themselves say BEGIN and COMMIT.

        It sends any number of them in one round trip. What is not committed is rolled back.
        """
        with self.get_connection() as connection:
            # Each text is sent once: the driver need not count how often, and keep the last 100.
            prepared_after, connection.prepare_threshold = connection.prepare_threshold, None
            try:
                yield ClientCursor(connection, row_factory=tuple_row)
            finally:
                connection.prepare_threshold = prepared_after
                is_idle = connection.pgconn.transaction_status == TransactionStatus.IDLE
                if not (is_idle or connection.closed):
                    connection.rollback()

    def rows(self, statement: LiteralString, parameters: Sequence[Any] = ()) -> list[DictRow]:
        """Run one reading statement; if its connection turns out dead, once more on a live one."""
        return self._read(statement, parameters, dict_row)

    def tuples(
        self, statement: LiteralString, parameters: Sequence[Any] = ()
    ) -> list[tuple[Any, ...]]:
        """Do the same for many rows: without their names, and in the server's own format.

        Names cost more than what they name, and bytes need not be spelled out and read again.
        """
        return self._read(statement, parameters, tuple_row, binary=True)

    def stored(self, statement: LiteralString, parameters: Sequence[Any] = ()) -> list[Stored]:
        """Read events; the columns are those of `Stored`."""
        return self._read(statement, parameters, _stored_row, binary=True)

    def _read(
        self,
        statement: LiteralString,
        parameters: Sequence[Any],
        rows: RowFactory[R],
        *,
        binary: bool = False,
    ) -> list[R]:
        try:
            return self._read_once(statement, parameters, rows, binary)
        except (InterfaceError, OperationalError) as error:
            self.discard_dead(error)
            return self._read_once(statement, parameters, rows, binary)

    def _read_once(
        self,
        statement: LiteralString,
        parameters: Sequence[Any],
        rows: RowFactory[R],
        binary: bool,
    ) -> list[R]:
        with self.get_connection() as connection:
            cursor = connection.cursor(binary=binary, row_factory=rows)
            with cursor:
                return cursor.execute(statement, parameters, prepare=True).fetchall()

    def discard_dead(self, error: PersistenceError) -> None:
        """Throw out the connections that died with this one; raise if none is to be had."""
        if isinstance(error.__cause__, PoolTimeout):
            raise OperationalError(self._reason() or str(error)) from error.__cause__
        if isinstance(error.__cause__, LockNotAvailable):
            raise error
        self.pool.check()

    def _reason(self) -> str:
        # The pool only says that it has waited; the server, or its host, says why.
        try:
            with self.session():
                return ""
        except psycopg.Error as error:
            return str(error)


def _stored_row(_: object) -> RowMaker[Stored]:
    return Stored._make
