"""After a failover, another server answers under the same name, and may lack the newest events."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from psycopg import conninfo, sql

from domain.application import Milepost
from domain.errors import NothingToStop
from domain.job.callback import Callback


class Failover:
    """A database and its copy, which takes its place as a standby does that was behind."""

    def __init__(self, server_dsn: str, dsn: str) -> None:
        self._server_dsn = server_dsn
        self._name = str(conninfo.conninfo_to_dict(dsn)["dbname"])
        self._copy = f"{self._name}_copy"

    def copy(self) -> None:
        """Let the copy have everything up to now."""
        self._run("CREATE DATABASE {} TEMPLATE {}", self._copy, self._name)

    def happen(self) -> None:
        """Let the copy take the place of the database."""
        self._run("ALTER DATABASE {} RENAME TO {}", self._name, f"{self._name}_lost")
        self._run("ALTER DATABASE {} RENAME TO {}", self._copy, self._name)

    def _run(self, statement: str, *names: str) -> None:
        with psycopg.connect(self._server_dsn, autocommit=True) as operator:
            # A database that somebody is connected to is neither copied nor renamed.
            operator.execute(
                "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = %s",
                (self._name,),
            )
            identifiers = map(sql.Identifier, names)
            operator.execute(sql.SQL(statement).format(*identifiers))


@pytest.fixture
def failover(postgres_server_dsn: str, postgres_dsn: str) -> Failover:
    """A failover of the database."""
    return Failover(postgres_server_dsn, postgres_dsn)


@pytest.fixture
def milepost(postgres_dsn: str) -> Iterator[Milepost]:
    """A process that commits."""
    made = opened(postgres_dsn)
    yield made
    made.close()


def opened(dsn: str) -> Milepost:
    return Milepost({"PERSISTENCE_MODULE": "domain.log.postgres", "DATABASE_URL": dsn})


def test_what_a_process_knew_of_a_job_before_a_failover_decides_nothing_after_it(
    milepost: Milepost, failover: Failover, postgres_dsn: str
) -> None:
    """The event that it knew is lost, and another one is stored under the same version."""
    milepost.record(Callback(job_id="job", status="provisioning"))
    failover.copy()
    assert milepost.record(Callback(job_id="job", status="running")).version == 2
    failover.happen()
    other = opened(postgres_dsn)
    assert other.record(Callback(job_id="job", status="failed", error="no")).version == 2
    other.close()
    # A reader meets the dead connection first, and replaces it.
    milepost.find("job")

    with pytest.raises(NothingToStop):
        milepost.stop("job")
