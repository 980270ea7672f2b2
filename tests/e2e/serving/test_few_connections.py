"""Two servers over a database that allows few connections: nobody starves."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql

from tests.support.processes.server import Make, Server

ALLOWED = 7
HELD = "SELECT count(*) FROM pg_stat_activity WHERE usename = %s"


class Bounded:
    """A role that owns an empty database and may have few connections."""

    def __init__(self, dsn: str, watcher: psycopg.Connection[tuple[int]]) -> None:
        self.role = f"few_{uuid4().hex}"
        self.dsn = dsn.replace("postgres@", f"{self.role}@")
        self._watcher = watcher
        names = {
            "role": sql.Identifier(self.role),
            "database": sql.Identifier(watcher.info.dbname),
            "most": sql.Literal(ALLOWED),
        }
        for statement in (
            "CREATE ROLE {role} LOGIN CONNECTION LIMIT {most}",
            "ALTER DATABASE {database} OWNER TO {role}",
            "ALTER SCHEMA public OWNER TO {role}",
        ):
            watcher.execute(sql.SQL(statement).format(**names))

    def held(self) -> int:
        """Return how many connections the role has."""
        return self._watcher.execute(HELD, (self.role,)).fetchall()[0][0]


@pytest.fixture
def bounded(postgres_dsn: str) -> Iterator[Bounded]:
    """A database with few connections."""
    with psycopg.connect(postgres_dsn, autocommit=True) as watcher:
        yield Bounded(postgres_dsn, watcher)


def report(server: Server, job: int) -> list[int]:
    """Send callbacks of a job one after the other, with reads between; return the statuses."""
    statuses = []
    for number in range(10):
        body = {"job_id": f"job-{job}", "type": "heartbeat", "callback_id": f"{job}-{number}"}
        statuses.append(server.callback(body).status)
        statuses.append(server.get(f"/api/jobs/job-{job}").status)
        statuses.append(server.get("/api/events?limit=5").status)
    return statuses


def test_two_servers_share_seven_connections(bounded: Bounded, make_server: Make) -> None:
    servers = [make_server(bounded.dsn) for _ in range(2)]
    for server in servers:
        server.env["MILEPOST_DATABASE_CONNECTIONS"] = "1"
        server.start()
        assert "allows this account" not in server.log.read_text()

    with ThreadPoolExecutor(16) as clients:
        answers = clients.map(report, servers * 8, range(16))
        assert {status for statuses in answers for status in statuses} == {200}

    servers[0].until(lambda: servers[0].get("/readyz").body["lag_events"] == 0, "does not project")
    # Two workers, two parents and the lock of one projector; the other one asks each second.
    servers[0].until(lambda: bounded.held() <= 5, "holds more than it needs")


def test_a_server_says_that_it_may_hold_more_than_is_allowed(
    bounded: Bounded, make_server: Make
) -> None:
    server = make_server(bounded.dsn).start()

    assert (
        "the database allows this account 7 connections, and this server may hold 13: set "
        "MILEPOST_DATABASE_CONNECTIONS lower, or allow more\n" in server.log.read_text()
    )
