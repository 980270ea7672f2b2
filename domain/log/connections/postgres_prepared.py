"""Statements that a connection to PostgreSQL plans once, for texts of several statements.

To parse and to plan a statement of a batch costs PostgreSQL about as much as to run it. The
protocol's prepared statements take a round trip each; `EXECUTE` may stand in a longer text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, LiteralString, TypeVar
from weakref import WeakSet

from psycopg import ClientCursor, Connection, Error
from psycopg.errors import InvalidSqlStatementName

from domain.log.connections.postgres_session import SESSION
from domain.log.parameters import spelled

Result = TypeVar("Result")


class Prepared:
    """Statements by name."""

    def __init__(self, statements: Mapping[LiteralString, LiteralString]) -> None:
        # What has discarded the statements, such as a pooler, has reset the session as well.
        self._prepare: LiteralString = ";".join(
            (
                SESSION,
                *(f"PREPARE {name} AS {_numbered(text)}" for name, text in statements.items()),
            )
        )
        self._connections: WeakSet[Connection[Any]] = WeakSet()

    def run(self, cursor: ClientCursor[Any], work: Callable[[], Result]) -> Result:
        """Return what `work` returns: it begins a transaction on this cursor by an `EXECUTE`.

        It is called twice if the connection has lost the statements: psycopg may deallocate
        everything on a connection that it rolls back.
        """
        connection = cursor.connection
        if connection in self._connections:
            with suppress(InvalidSqlStatementName):
                return work()
            connection.rollback()
        try:
            cursor.execute(self._prepare)
        except Error:
            # Some of the statements may be prepared; they could not be prepared again.
            connection.close()
            raise
        self._connections.add(connection)
        return work()


def executed(name: str, parameter: str) -> str:
    """Return the text that executes a prepared statement with a parameter."""
    return f"EXECUTE {name}({spelled(parameter)})"


def _numbered(statement: LiteralString) -> LiteralString:
    first, *others = statement.split("%s")
    numbered = first
    for number, other in enumerate(others, start=1):
        numbered += f"${number}" + other
    return numbered
