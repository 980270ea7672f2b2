"""A commit is refused for a warning about its standby alone: PostgreSQL warns of other things."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from domain.application import Milepost
from domain.job.callback import Callback
from tests.support.stores.postgres_server import PostgresServer, create_database, own_server

HALF_A_PAGE = "x" * 4_073
"""With its channel's name and its heading, it takes half a page of the queue to the byte. So the
queue is half full before any commit finds it so, and PostgreSQL warns once in five seconds."""


@pytest.fixture
def server() -> Iterator[PostgresServer]:
    """A PostgreSQL with the smallest queue of notifications that there is."""
    with own_server(settings={"max_notify_queue_pages": 64}) as made:
        yield made


def test_a_commit_is_no_less_durable_while_the_queue_of_notifications_is_half_full(
    server: PostgresServer,
) -> None:
    """PostgreSQL warns of the queue in a commit that notifies, as each one of Milepost does."""
    dsn = create_database(server.dsn)
    milepost = Milepost({"PERSISTENCE_MODULE": "domain.log.postgres", "DATABASE_URL": dsn})
    with psycopg.connect(server.dsn) as deaf, psycopg.connect(server.dsn, autocommit=True) as other:
        deaf.execute("LISTEN other")
        deaf.commit()
        deaf.execute("SELECT 1")  # in a transaction, a session reads no notification
        while _used(other) < 0.5:
            other.execute("SELECT pg_notify('other', %s)", (HALF_A_PAGE,))

        receipts = [
            milepost.record(Callback(job_id="job", status="provisioning")) for _ in range(2)
        ]
    milepost.close()

    assert [receipt.version for receipt in receipts] == [1, 2]


def _used(connection: psycopg.Connection[tuple[float]]) -> float:
    [(used,)] = connection.execute("SELECT pg_notification_queue_usage()")
    return used
