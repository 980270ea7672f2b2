"""A lookup returns what a cursor would return, whatever happens to its connection."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import Any, LiteralString

import psycopg
import pytest
from eventsourcing.persistence import DataError
from psycopg.rows import DictRow

from domain.job.callback import Callback
from domain.job.keys.key import agent_key
from domain.log.connections.postgres import POOL_SIZE, PostgresDatastore
from domain.log.parameters import as_json
from projections.read_model.contract import SHAPE
from projections.read_model.postgres import sighting
from projections.read_model.postgres.lookup import Lookup, bigint, text
from projections.read_model.postgres.statements import of_shape
from tests.support.stores.deployment import Deployment

SIGHT = {view: of_shape(each, SHAPE) for view, each in sighting.SIGHT.items()}
SIGHT_AGENTS = of_shape(sighting.SIGHT_AGENTS, SHAPE)
COLUMNS = (text, text, bigint, text, bytes, bigint)


class Datastore(PostgresDatastore):
    """A datastore that counts the statements that it runs."""

    asked = 0

    def rows(self, statement: LiteralString, parameters: Sequence[Any] = ()) -> list[DictRow]:
        self.asked += 1
        return super().rows(statement, parameters)


@pytest.fixture
def datastore(postgres: Deployment) -> Iterator[Datastore]:
    """Open connections to the same database."""
    with Datastore(postgres.env["DATABASE_URL"]) as opened:
        opened.pool.wait()
        yield opened


@pytest.fixture
def sight(datastore: Datastore) -> Lookup:
    """The lookup of a job's instance."""
    return Lookup(datastore, "sight", SIGHT["instances"], COLUMNS)


def reported(postgres: Deployment, job_id: str = "job-1", times: int = 1) -> None:
    for _ in range(times):
        postgres.milepost.record(Callback(job_id=job_id, type="heartbeat"))


def by_cursor(datastore: PostgresDatastore, job_id: str) -> list[list[Any]]:
    rows = PostgresDatastore.rows(datastore, SIGHT["instances"], (job_id,))
    return [list(row.values()) for row in rows]


@pytest.mark.parametrize(
    "job_id", ["job-1", "Zürich", "日本/🚀", "%s", "$1", "'", "\\x00", "nobody"]
)
def test_a_lookup_finds_what_a_cursor_finds_and_needs_none(
    postgres: Deployment, datastore: Datastore, sight: Lookup, job_id: str
) -> None:
    if job_id != "nobody":
        reported(postgres, job_id, 2)
        postgres.projector.catch_up()
        reported(postgres, job_id, 2)

    found = [sight.rows(job_id) for _ in range(2 * POOL_SIZE)]

    assert found == [by_cursor(datastore, job_id)] * len(found)
    assert datastore.asked == 0


def test_a_nul_character_does_not_end_the_parameter(postgres: Deployment, sight: Lookup) -> None:
    reported(postgres)

    with pytest.raises(DataError):
        sight.rows("job-1\0x")


def test_a_lookup_goes_on_when_all_connections_have_died(
    postgres: Deployment, datastore: Datastore, sight: Lookup
) -> None:
    reported(postgres)
    for _ in range(POOL_SIZE):
        sight.rows("job-1")
    with psycopg.connect(postgres.env["DATABASE_URL"]) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE pid <> pg_backend_pid() AND datname = current_database()"
        )

    assert sight.rows("job-1") == by_cursor(datastore, "job-1")


def test_a_lookup_goes_on_after_this_process_closed_its_connections(
    postgres: Deployment, datastore: Datastore, sight: Lookup
) -> None:
    reported(postgres)
    with ExitStack() as lent:
        closed = [lent.enter_context(datastore.get_connection()) for _ in range(POOL_SIZE)]
    for connection in closed:
        connection.close()

    assert sight.rows("job-1") == by_cursor(datastore, "job-1")


def test_a_lookup_may_be_the_first_to_need_a_connection(postgres: Deployment) -> None:
    reported(postgres)
    datastore = Datastore(postgres.env["DATABASE_URL"])

    found = Lookup(datastore, "sight", SIGHT["instances"], COLUMNS).rows("job-1")

    assert found == by_cursor(datastore, "job-1")
    datastore.close()


def test_a_lookup_waits_for_a_connection_when_all_are_lent(
    postgres: Deployment, datastore: Datastore, sight: Lookup
) -> None:
    reported(postgres)
    with ExitStack() as lent:
        for _ in range(POOL_SIZE):
            lent.enter_context(datastore.get_connection())

        assert sight.rows("job-1")[0][0] == "job-1"


def test_a_lookup_is_prepared_again_after_the_driver_has_thrown_it_out(
    postgres: Deployment, datastore: Datastore, sight: Lookup
) -> None:
    """The driver deallocates statements after a rollback, if it has prepared any itself."""
    reported(postgres)
    for _ in range(POOL_SIZE):
        sight.rows("job-1")
    with ExitStack() as lent:
        for _ in range(POOL_SIZE):
            lent.enter_context(datastore.get_connection()).execute("DEALLOCATE ALL")

    found = [sight.rows("job-1") for _ in range(4 * POOL_SIZE)]
    asked = datastore.asked
    found += [sight.rows("job-1") for _ in range(2 * POOL_SIZE)]

    assert 0 < asked <= POOL_SIZE
    assert datastore.asked == asked
    assert found == [by_cursor(datastore, "job-1")] * len(found)


def test_a_client_of_another_encoding_finds_the_same(postgres: Deployment) -> None:
    reported(postgres, "Zürich")
    dsn = f"{postgres.env['DATABASE_URL']}&client_encoding=latin1"
    with Datastore(dsn) as datastore:
        datastore.pool.wait()
        sight = Lookup(datastore, "sight", SIGHT["instances"], COLUMNS)

        assert sight.rows("Zürich") == by_cursor(datastore, "Zürich")
        assert sight.rows("Zürich")[0][0] == "Zürich"


@pytest.mark.parametrize(
    ("statement", "parameter"),
    [
        (SIGHT["instances"], "job-1"),
        (SIGHT["timelines"], "job-1"),
        (SIGHT_AGENTS, as_json([agent_key("a")])),
    ],
)
def test_a_plan_made_while_the_table_is_small_finds_events_by_their_job(
    postgres: Deployment, datastore: Datastore, statement: LiteralString, parameter: str
) -> None:
    reported(postgres)
    with datastore.get_connection() as connection:
        connection.execute("ANALYZE milepost_events")
        connection.execute("SET plan_cache_mode = force_generic_plan")
        connection.execute("PREPARE sight (text) AS " + statement.replace("%s", "$1"))
        explained = connection.execute(f"EXPLAIN EXECUTE sight ('{parameter}')").fetchall()

    plan = "\n".join(str(line["QUERY PLAN"]) for line in explained)
    assert "Index Cond: ((originator_id = " in plan
    assert "Sort" not in plan
