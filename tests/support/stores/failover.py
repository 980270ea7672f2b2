"""A failover to a server that lacks the newest events, on one PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import LiteralString

import psycopg
from psycopg import conninfo, sql

from tests.support.stores.standby import Operator


class Failover:
    """A database and its copy, which takes its place as a standby does that was behind."""

    def __init__(self, server_dsn: str, dsn: str) -> None:
        self._server_dsn = server_dsn
        self._name = str(conninfo.conninfo_to_dict(dsn)["dbname"])
        self._copy = f"{self._name}_copy"

    def copy(self) -> None:
        """Let the copy have everything up to now."""
        with self._alone() as operator:
            _run(operator, "CREATE DATABASE {} TEMPLATE {}", self._copy, self._name)
            _run(operator, "ALTER DATABASE {} ALLOW_CONNECTIONS true", self._name)

    def happen(self) -> None:
        """Let the copy take the place of the database."""
        with self._alone() as operator:
            _run(operator, "ALTER DATABASE {} RENAME TO {}", self._name, f"{self._name}_lost")
            _run(operator, "ALTER DATABASE {} RENAME TO {}", self._copy, self._name)

    @contextmanager
    def _alone(self) -> Iterator[Operator]:
        """End all sessions of the database: with one, it can neither be copied nor renamed."""
        with psycopg.connect(self._server_dsn, autocommit=True) as operator:
            # A pool connects again at once.
            _run(operator, "ALTER DATABASE {} ALLOW_CONNECTIONS false", self._name)
            operator.execute(
                "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = %s",
                (self._name,),
            )
            yield operator


def _run(operator: Operator, statement: LiteralString, *names: str) -> None:
    operator.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))
