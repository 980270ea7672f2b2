"""A host vanishes without a word: others take over in seconds, and it goes on when it is back."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import suppress
from time import monotonic
from typing import Any

import psycopg
import pytest

from tests.support.processes.server import MILEPOST, Make, Server, free_port
from tests.support.stores.postgres_server import SUPERUSER, PostgresServer
from tests.survive.clusters.away import Away
from tests.survive.waiting import until

pytestmark = pytest.mark.survive

MOST_SECONDS = 45
"""PostgreSQL notices after 11 s, on a machine that is not busy."""


@pytest.fixture
def away() -> Iterator[Away]:
    """Another host."""
    made = Away()
    try:
        yield made.start()
    finally:
        made.remove()


@pytest.fixture
def database_url(away: Away) -> Iterator[str]:
    """A database on this host, at the cable to the other one."""
    address, port = away.here("db"), free_port()
    made = PostgresServer(settings={"listen_addresses": address, "port": port})
    try:
        with (made.folder / "pg_hba.conf").open("a") as rules:
            rules.write(f"host all all {address}/24 trust\n")
        made.start()
        yield f"postgresql://{SUPERUSER}@{address}:{port}/postgres"
    finally:
        made.remove()


def projects(url: str) -> set[str | None]:
    """Return the addresses of the hosts that hold the projector's lock."""
    with psycopg.connect(url) as operator:
        rows = operator.execute(
            "SELECT DISTINCT host(client_addr) FROM pg_locks JOIN pg_stat_activity USING (pid) "
            "WHERE locktype = 'advisory' AND mode = 'ExclusiveLock' AND granted"
        )
        return {row[0] for row in rows}


def test_a_projector_takes_over_from_a_host_that_vanished_and_that_goes_on_when_it_is_back(
    away: Away, database_url: str, make_server: Make, tmp_path: Any
) -> None:
    server: Server = make_server(database_url, "--host", away.address("web"), command=away.command)
    server.host = away.address("web")
    server.start()
    assert server.callback({"job_id": "before", "status": "running"}).status == 200
    until(lambda: projects(database_url) == {away.address("db")}, "nobody projects")
    with subprocess.Popen([MILEPOST, "project"], env=server.env, stderr=subprocess.PIPE) as other:
        try:
            away.vanish("db")
            began = monotonic()
            assert server.callback({"job_id": "meanwhile", "status": "running"}).status == 503
            until(lambda: projects(database_url) == {away.here("db")}, "nobody takes over")
            assert monotonic() - began < MOST_SECONDS

            away.come_back("db")
            until(lambda: again(server), "the host does not go on")
            assert server.get("/api/jobs/before").body["status"] == "running"
        finally:
            other.terminate()


def again(server: Server) -> bool:
    with suppress(OSError):
        return server.callback({"job_id": "after", "status": "running"}).status == 200
    return False
