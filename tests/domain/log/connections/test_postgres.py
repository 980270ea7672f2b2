"""Connections to PostgreSQL."""

from __future__ import annotations

from contextlib import ExitStack, suppress
from typing import LiteralString

import psycopg
import pytest
from eventsourcing.persistence import DataError
from psycopg_pool import PoolTimeout

from domain.job.callback import Callback
from domain.log.connections.postgres import POOL_SIZE, PostgresDatastore
from domain.log.postgres import PostgresRecorder
from tests.support.projectors.projecting import wait_until
from tests.support.stores.deployment import Deployment

MANY = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'many'"


@pytest.mark.parametrize(
    ("setting", "value"),
    [("enable_seqscan", "off"), ("jit", "off"), ("lock_timeout", "5s")],
)
def test_a_connection_plans_short_statements_for_their_indexes(
    postgres: Deployment, setting: str, value: str
) -> None:
    """With `jit`, PostgreSQL before 18 spent 150 ms on each statement with a forbidden scan."""
    recorder = postgres.milepost.recorder
    assert isinstance(recorder, PostgresRecorder)

    [row] = recorder.datastore.rows("SELECT current_setting(%s) AS value", (setting,))

    assert row["value"] == value


def test_a_connection_that_has_lost_its_prepared_statements_goes_on(postgres: Deployment) -> None:
    """A pooler between may discard them, and psycopg does after a transaction that failed."""
    milepost, recorder = postgres.milepost, postgres.milepost.recorder
    assert isinstance(recorder, PostgresRecorder)
    heartbeat = Callback(job_id="job-1", type="heartbeat")
    for _ in range(2):
        for _ in range(POOL_SIZE + 1):  # the pool lends its connections in turn
            milepost.record(heartbeat)
        with ExitStack() as stack:
            for _ in range(POOL_SIZE):
                connection = stack.enter_context(recorder.datastore.get_connection())
                connection.execute("DEALLOCATE ALL")

    assert milepost.record(heartbeat).position == 2 * (POOL_SIZE + 1) + 1


def test_connections_that_nobody_needs_are_closed(postgres_dsn: str) -> None:
    with PostgresDatastore(f"{postgres_dsn}&application_name=many", 6, 0.01) as datastore:
        with ExitStack() as stack:
            for _ in range(6):
                stack.enter_context(datastore.get_connection())
            with pytest.raises(PoolTimeout):
                datastore.pool.getconn(0.01)
        with psycopg.connect(postgres_dsn, autocommit=True) as other:
            wait_until(lambda: other.execute(MANY).fetchall() == [(POOL_SIZE,)])


def test_the_driver_counts_no_text_that_is_sent_once_and_prepares_the_others(
    postgres_dsn: str,
) -> None:
    """It would hash each text of the projector, and keep the last 100: some megabytes."""
    statement: LiteralString = "SELECT statement FROM pg_prepared_statements"
    with PostgresDatastore(postgres_dsn, connections=1) as datastore:
        with suppress(DataError), datastore.spelled_out() as cursor:
            assert cursor.connection.prepare_threshold is None
            cursor.execute("BEGIN; SELECT 1 / 0")

        for _ in range(2):
            prepared = datastore.rows(statement)

    assert [row["statement"] for row in prepared] == [statement]
