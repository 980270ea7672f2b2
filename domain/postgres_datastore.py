"""Connections to PostgreSQL: pooled, impatient, and replaced when they have died."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, LiteralString

from eventsourcing import postgres
from eventsourcing.persistence import InterfaceError, OperationalError, PersistenceError
from psycopg import Connection, conninfo
from psycopg.rows import DictRow, dict_row
from psycopg_pool import PoolTimeout

POOL_SIZE, POOL_OVERFLOW = 4, 12
PATIENCE_SECONDS = 3.0
"""How long a caller waits for a connection before it hears that the database is away."""
LOCK_TIMEOUT = "SET lock_timeout = '5s'"


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
        self.conninfo: dict[str, Any] = {
            "connect_timeout": int(PATIENCE_SECONDS),
            **conninfo.conninfo_to_dict(dsn),
        }
        self.pool.kwargs = {"row_factory": dict_row, **self.conninfo}
        # Give up soon and try afresh on demand, rather than back off for minutes.
        self.pool.reconnect_timeout = PATIENCE_SECONDS

    def after_connect_func(self) -> Callable[[Connection[Any]], None]:
        """Prepare a new connection."""
        prepare = super().after_connect_func()

        def after_connect(connection: Connection[Any]) -> None:
            prepare(connection)
            connection.execute(LOCK_TIMEOUT)

        return after_connect

    def register_type_adapters(self) -> None:
        """Do nothing: we pass arrays, and need no connection before the first statement."""

    def rows(self, statement: LiteralString, parameters: Sequence[Any] = ()) -> list[DictRow]:
        """Run one reading statement; if its connection turns out dead, once more on a live one."""
        try:
            return self._rows(statement, parameters)
        except (InterfaceError, OperationalError) as error:
            self.discard_dead(error)
            return self._rows(statement, parameters)

    def _rows(self, statement: LiteralString, parameters: Sequence[Any]) -> list[DictRow]:
        with self.get_connection() as connection:
            return connection.execute(statement, parameters, prepare=True).fetchall()

    def discard_dead(self, error: PersistenceError) -> None:
        """Throw out the connections that died with this one; raise `error` if none is to be had."""
        if isinstance(error.__cause__, PoolTimeout):
            raise error
        self.pool.check()
