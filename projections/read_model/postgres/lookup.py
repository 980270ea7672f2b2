"""Looking up rows of PostgreSQL by one text, at little more than the cost of libpq itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, LiteralString, TypeAlias
from weakref import WeakSet

import psycopg
from psycopg import Connection
from psycopg.pq import DiagnosticField, ExecStatus, Format
from psycopg.pq.abc import PGresult

from domain.log.connections.postgres import PostgresDatastore

Column: TypeAlias = Callable[[bytes], Any]

SOON_SECONDS: Final = 0.25
"""How many seconds a lookup waits for a connection before it leaves the query to the datastore."""
UNKNOWN_STATEMENT: Final = b"26000"


def text(sent: bytes) -> str:
    """Read a text column."""
    return sent.decode()


def bigint(sent: bytes) -> int:
    """Read a bigint column."""
    return int.from_bytes(sent, "big", signed=True)


class Lookup:
    """A prepared statement with one text parameter; `columns` read the values that it returns.

    A cursor costs more than the statement that it runs: it parses, looks for adapters and makes
    rows of any type. So a lookup calls libpq. If libpq returns no rows but a failure, the lookup
    runs the statement again through the datastore, which handles errors, dead connections and
    servers that are away.
    """

    def __init__(
        self,
        datastore: PostgresDatastore,
        name: str,
        statement: LiteralString,
        columns: Sequence[Column],
    ) -> None:
        self._datastore = datastore
        self._name = f"milepost_{name}".encode()
        self._statement: LiteralString = statement
        self._columns = tuple(enumerate(columns))
        self._prepared: WeakSet[Connection[Any]] = WeakSet()

    def rows(self, parameter: str) -> Sequence[Sequence[Any]]:
        """Return the rows; raise the library's `PersistenceError`."""
        answer = self._answer(parameter.encode())
        if answer is None:
            asked_again = self._datastore.rows(self._statement, (parameter,))
            return [list(row.values()) for row in asked_again]
        value, columns = answer.get_value, self._columns
        return [
            [None if (sent := value(row, k)) is None else read(sent) for k, read in columns]
            for row in range(answer.ntuples)
        ]

    def _answer(self, parameter: bytes) -> PGresult | None:
        pool = self._datastore.pool
        try:
            connection = pool.getconn(SOON_SECONDS)
        except psycopg.OperationalError:  # the pool is not open yet, or the server is away
            return None
        try:
            if connection not in self._prepared and not self._prepare(connection):
                return None
            # Binary, so that a NUL character is refused instead of ending the parameter.
            result = connection.pgconn.exec_prepared(
                self._name, [parameter], [Format.BINARY], Format.BINARY
            )
        except psycopg.OperationalError:  # the connection has died
            return None
        finally:
            pool.putconn(connection)
        if result.status == ExecStatus.TUPLES_OK:
            return result
        if result.error_field(DiagnosticField.SQLSTATE) == UNKNOWN_STATEMENT:
            # After a rollback the driver deallocates all prepared statements, also this one.
            self._prepared.discard(connection)
        return None

    def _prepare(self, connection: Connection[Any]) -> bool:
        statement = self._statement.replace("%s", "$1").encode()
        if connection.pgconn.prepare(self._name, statement).status != ExecStatus.COMMAND_OK:
            return False
        self._prepared.add(connection)
        return True
