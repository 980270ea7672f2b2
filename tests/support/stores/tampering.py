"""Changing a database as somebody does who has its password, and no business there."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from typing import Any, LiteralString

import psycopg

from tests.support.stores.deployment import Deployment


class Database:
    """The database of a deployment, by SQL alone."""

    def __init__(self, deployment: Deployment) -> None:
        self._env = deployment.env

    @property
    def is_sqlite(self) -> bool:
        """True for SQLite."""
        return "SQLITE_DBNAME" in self._env

    def run(self, statement: LiteralString, parameters: Sequence[Any] = ()) -> int:
        """Run a statement with parameters written `?`; return how many rows it changed."""
        with self._connected() as connection:
            changed: int = connection.execute(self._spelled(statement), parameters).rowcount
            connection.commit()
            return changed

    def rows(self, statement: LiteralString, parameters: Sequence[Any] = ()) -> list[Any]:
        """Return the rows of a query."""
        with self._connected() as connection:
            found: list[Any] = connection.execute(self._spelled(statement), parameters).fetchall()
            return found

    def _connected(self) -> closing[Any]:
        if self.is_sqlite:
            return closing(sqlite3.connect(self._env["SQLITE_DBNAME"]))
        return closing(psycopg.connect(self._env["DATABASE_URL"]))

    def _spelled(self, statement: LiteralString) -> LiteralString:
        return statement if self.is_sqlite else statement.replace("?", "%s")
