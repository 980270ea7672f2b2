"""The database goes away and comes back: callers hear 503, nothing is half-written."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.inspection import assert_nothing_lost_nothing_doubled
from tests.e2e.load import Load
from tests.support.processes.server import Make
from tests.support.stores.postgres_server import PostgresServer, own_server


@pytest.fixture
def own_postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL that this test may stop."""
    with own_server() as server:
        yield server


def test_a_database_that_is_away_is_a_503_and_recovery_needs_nobody(
    own_postgres: PostgresServer, make_server: Make
) -> None:
    server = make_server(own_postgres.dsn).start()
    body = {"job_id": "job-1", "status": "provisioning", "callback_id": "one"}
    assert server.callback(body).status == 200

    own_postgres.stop()
    refused = server.callback({**body, "callback_id": "two"})
    read = server.get("/api/jobs/job-1")
    ready = server.get("/readyz")
    own_postgres.start()

    for answer in (refused, read, ready):
        assert answer.status == 503
        assert answer.headers["retry-after"].isdigit()
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.body["type"] == "urn:milepost:problem:store-unavailable"
        assert str(own_postgres.folder) not in str(answer.body), "the database's words leaked"
    assert server.get("/livez").status == 200
    server.until(lambda: server.get("/readyz").status == 200, "does not recover")
    assert server.callback({**body, "callback_id": "two"}).body["version"] == 2
    server.until(lambda: server.get("/readyz").body["lag_events"] == 0, "does not project again")


def test_a_database_that_crashes_under_load_loses_nothing_and_doubles_nothing(
    own_postgres: PostgresServer, make_server: Make
) -> None:
    server = make_server(own_postgres.dsn, "--workers", "2").start()
    load = Load(server, jobs=4, threads=8, limit=100_000).start()
    try:
        for goal in (200, 400, 600):
            server.until(lambda goal=goal: len(load.receipts) >= goal, "takes no callbacks")
            own_postgres.stop()
            own_postgres.start()
        server.until(lambda: len(load.receipts) >= 800, "does not recover")
    finally:
        load.finish()
    load.redeliver_unknown()

    server.kill()
    assert_nothing_lost_nothing_doubled(server, load)
