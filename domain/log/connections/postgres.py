"""Connections to PostgreSQL: pooled, impatient, and replaced when they have died."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, LiteralString, TypeVar

import psycopg
from eventsourcing import postgres
from eventsourcing.persistence import InterfaceError, OperationalError, PersistenceError
from psycopg import ClientCursor, Connection, conninfo
from psycopg.errors import LockNotAvailable, ReadOnlySqlTransaction
from psycopg.rows import DictRow, RowFactory, RowMaker, dict_row, tuple_row
from psycopg_pool import PoolTimeout

from domain.log.connections.postgres_warnings import CommitWarnings
from domain.log.stored import Stored

R = TypeVar("R")
POOL_SIZE, POOL_OVERFLOW = 1, 15
"""How many connections a process keeps, and how many more it may open while it needs them.

The pool lends its connections in turn. Of several, each server process would do a part of the
commits, with caches that the others have cooled meanwhile.
"""
PATIENCE_SECONDS = 3.0
"""How long a caller waits for a connection before it hears that the database is away."""
LOCK_TIMEOUT = "SET lock_timeout = '5s'"
# A commit is on the disk before it is acknowledged; a server that waits for more may do so.
DURABLE = """
    SELECT set_config('synchronous_commit', 'on', false)
     WHERE current_setting('synchronous_commit') = 'off'
"""
# Plans are kept from when the tables were small, and every statement has its index.
NO_SEQUENTIAL_SCANS = "SET enable_seqscan = off"
# Before PostgreSQL 18, a forbidden scan costs so much in a plan that every statement with one is
# compiled first: 150 ms for an update of a table with one row. Milepost's statements are short.
NO_COMPILING = "SET jit = off"

# Against a peer that is gone without a word; libpq's own settings in the URL go before these.
DEFAULTS: dict[str, Any] = {
    "connect_timeout": int(PATIENCE_SECONDS),
    "tcp_user_timeout": 10_000,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "target_session_attrs": "read-write",
}
ONE_AT_A_TIME = "SELECT pg_advisory_xact_lock(hashtext('milepost schema'))"


class PostgresDatastore(postgres.PostgresDatastore):
    """The library's datastore, opened by a libpq connection string with all that libpq knows."""

    def __init__(self, dsn: str) -> None:
        super().__init__(
            "",
            "",
            "",
            "",
            "",
            originator_id_type="text",
            connect_timeout=PATIENCE_SECONDS,
            idle_in_transaction_session_timeout=10,
            pool_size=POOL_SIZE,
            max_overflow=POOL_OVERFLOW,
        )
        self.commit_warnings = CommitWarnings()
        self.conninfo: dict[str, Any] = {**DEFAULTS, **conninfo.conninfo_to_dict(dsn)}
        self.pool.kwargs = {"row_factory": dict_row, **self.conninfo}
        # Give up soon and try afresh on demand, rather than back off for minutes.
        self.pool.reconnect_timeout = PATIENCE_SECONDS

    def after_connect_func(self) -> Callable[[Connection[Any]], None]:
        """Prepare a new connection."""
        prepare = super().after_connect_func()

        def after_connect(connection: Connection[Any]) -> None:
            prepare(connection)
            self.commit_warnings.watch(connection)
            connection.execute(LOCK_TIMEOUT)
            connection.execute(DURABLE)
            connection.execute(NO_SEQUENTIAL_SCANS)
            connection.execute(NO_COMPILING)

        return after_connect

    def register_type_adapters(self) -> None:
        """Do nothing: we pass arrays, and need no connection before the first statement."""

    @contextmanager
    def get_connection(self) -> Iterator[Connection[DictRow]]:
        """Lend a connection; keep none that has become read-only, as after a failover."""
        with super().get_connection() as connection:
            try:
                yield connection
            except ReadOnlySqlTransaction:
                connection.close()
                raise

    @contextmanager
    def spelled_out(self) -> Iterator[ClientCursor[tuple[Any, ...]]]:
        """Lend a cursor for statements that themselves say BEGIN and COMMIT.

        It sends any number of them in one round trip. What is not committed is rolled back.
        """
        with self.get_connection() as connection:
            try:
                yield ClientCursor(connection, row_factory=tuple_row)
            finally:
                if not connection.closed:
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
            psycopg.connect(**self.conninfo).close()
        except psycopg.Error as error:
            return str(error)
        return ""


def _stored_row(_: object) -> RowMaker[Stored]:
    return Stored._make
