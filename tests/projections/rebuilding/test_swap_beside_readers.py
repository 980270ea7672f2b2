"""A swap on PostgreSQL holds its locks for no disk, no standby and no deletion."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from domain.workflows.definition import Workflows
from projections.read_model.filters import JobFilter
from tests.support.jobs.rows import assert_every_row_is_right, lived
from tests.support.projectors.projecting import wait_until
from tests.support.projectors.rebuilding import folded_beside
from tests.support.stores.deployment import Clock, Deployment
from tests.support.stores.postgres_server import PostgresServer, create_database, own_server
from tests.support.stores.tampering import Database

STANDBY = "SELECT 1 FROM pg_stat_activity WHERE wait_event = 'SyncRep'"


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """A PostgreSQL whose settings these tests change."""
    with own_server() as made:
        yield made


def test_a_list_does_not_wait_for_a_swap_whose_commit_waits_for_a_standby(
    server: PostgresServer, workflows: Workflows, clock: Clock
) -> None:
    """So it does not wait for the disk either: PostgreSQL skips both waits together."""
    env = {
        "PERSISTENCE_MODULE": "domain.log.postgres",
        "DATABASE_URL": create_database(server.dsn),
    }
    made = Deployment(env, workflows, clock)
    lived(made, clock)
    made.projector.catch_up()
    folded_beside(made)
    listed = list(made.reader.instances(JobFilter()))
    with psycopg.connect(server.dsn, autocommit=True) as operator:

        def await_standby(name: str) -> None:
            operator.execute(f"ALTER SYSTEM SET synchronous_standby_names = '{name}'")
            operator.execute("SELECT pg_reload_conf()")
            wait_until(
                lambda: operator.execute("SHOW synchronous_standby_names").fetchone() == (name,)
            )

        await_standby("a_standby_that_never_comes")
        with ThreadPoolExecutor(1) as thread:
            swap = thread.submit(made.shadow.swap)
            try:
                wait_until(lambda: swap.done() or bool(operator.execute(STANDBY).fetchone()))

                assert list(made.reader.instances(JobFilter())) == listed
            finally:
                await_standby("")
            assert swap.result()
    assert_every_row_is_right(made)
    made.close()


def test_replaced_tables_are_dropped_once_nobody_reads_them(
    postgres: Deployment, clock: Clock
) -> None:
    lived(postgres, clock)
    postgres.rebuild.run()
    database = Database(postgres)

    with psycopg.connect(postgres.env["DATABASE_URL"]) as reader:
        reader.execute("SELECT FROM milepost_dropped_instances")
        assert not postgres.shadow.clear(), "a long reader, such as pg_dump"
        folded_beside(postgres)
        assert not postgres.shadow.swap(), "there is one set of replaced tables"
        reader.rollback()

    assert postgres.shadow.swap()
    assert postgres.shadow.clear()
    assert not postgres.shadow.clear()
    left = "SELECT tablename FROM pg_tables WHERE tablename LIKE 'milepost_dropped%%'"
    assert database.rows(left) == []
    assert_every_row_is_right(postgres)
