"""A receipt means durable on PostgreSQL, whatever interrupts a commit or its neighbours."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from domain.application import Milepost
from domain.errors import StoreUnavailable
from domain.job.callback import Callback
from domain.job.commands.registration import QueueJob
from domain.writing.batch import Receipt
from tests.support.projectors.projecting import wait_until
from tests.support.stores.postgres_server import PostgresServer, create_database, own_server
from tests.support.stores.standby import (
    NOBODY,
    Operator,
    await_standby,
    interrupt,
    operating,
    waiting_for_a_standby,
)


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """A PostgreSQL whose settings these tests change."""
    with own_server() as made:
        yield made


@pytest.fixture
def operator(server: PostgresServer) -> Iterator[Operator]:
    """A connection that changes the server's settings, and puts them back at the end."""
    with operating(server) as connection:
        yield connection


@pytest.fixture
def dsn(server: PostgresServer) -> str:
    """The URL of an empty database."""
    return create_database(server.dsn)


@pytest.fixture
def milepost(dsn: str) -> Iterator[Milepost]:
    """The application over an empty database, with tables and a first event."""
    made = opened(dsn)
    made.record(callback("first"))
    yield made
    made.close()


@pytest.fixture
def caller() -> Iterator[ThreadPoolExecutor]:
    """A thread in which a caller waits."""
    with ThreadPoolExecutor(1) as made:
        yield made


def opened(dsn: str) -> Milepost:
    return Milepost({"PERSISTENCE_MODULE": "domain.log.postgres", "DATABASE_URL": dsn})


def callback(callback_id: str) -> Callback:
    return Callback(job_id="job", status="provisioning", callback_id=callback_id, digest="body")


@pytest.mark.parametrize("how", ["pg_cancel_backend", "pg_terminate_backend"])
def test_a_commit_whose_wait_for_the_standby_is_interrupted_has_no_receipt(
    milepost: Milepost,
    operator: Operator,
    caller: ThreadPoolExecutor,
    how: str,
) -> None:
    """PostgreSQL calls it a success, and says in a warning that the standby may not have it."""
    await_standby(operator, NOBODY)

    call = caller.submit(milepost.record, callback("second"))
    interrupt(operator, how, call)

    with pytest.raises(StoreUnavailable):
        call.result()
    await_standby(operator, "")
    again = milepost.record(callback("second"))
    assert (again.version, again.duplicate) == (2, True), "it was stored all the same"


@pytest.mark.parametrize("what", ["a callback", "a registration", "an order"])
def test_a_receipt_that_vouches_for_an_earlier_commit_waits_for_the_standby(
    milepost: Milepost,
    operator: Operator,
    caller: ThreadPoolExecutor,
    what: str,
) -> None:
    def ask() -> Receipt:
        if what == "a callback":
            return milepost.record(callback("first"))
        if what == "an order":
            return milepost.order("fail", "job")
        return milepost.queue(
            QueueJob(
                job_id="own", agent_id="a", workflow="vm@1", idempotency_key="key", digest="body"
            )
        )

    first = ask()
    await_standby(operator, NOBODY)

    call = caller.submit(ask)
    wait_until(lambda: bool(waiting_for_a_standby(operator)))
    assert not call.done()

    await_standby(operator, "")
    assert call.result(timeout=15).version == first.version


def test_a_repetition_is_answered_at_once_where_no_standby_is_awaited(milepost: Milepost) -> None:
    before = written(milepost)

    assert milepost.record(callback("first")).duplicate
    assert written(milepost) == before


def written(milepost: Milepost) -> object:
    """Return up to where the store's log of writes reaches."""
    [row] = milepost.recorder.datastore.rows(  # type: ignore[attr-defined]
        "SELECT pg_current_xact_id_if_assigned() AS none, pg_current_wal_insert_lsn() AS lsn"
    )
    return row["lsn"]


def test_positions_are_above_the_log_of_a_database_that_was_moved_without_its_sequence(
    server: PostgresServer, milepost: Milepost
) -> None:
    """Logical replication and COPY bring the rows, and not the sequence."""
    for number in range(5):
        milepost.record(callback(f"before {number}"))
    moved = create_database(server.dsn)
    opened(moved).close()
    with (
        psycopg.connect(milepost.env["DATABASE_URL"]) as old,
        psycopg.connect(moved) as new,
        old.cursor().copy("COPY milepost_events TO STDOUT") as rows,
        new.cursor().copy("COPY milepost_events FROM STDIN") as copied,
    ):
        for row in rows:
            copied.write(row)
    there = opened(moved)

    receipts = [there.record(callback(f"after {number}")) for number in range(3)]

    assert [receipt.position for receipt in receipts] == [7, 8, 9]
    there.close()


def test_positions_are_above_the_log_when_its_sequence_is_set_back_meanwhile(
    milepost: Milepost, dsn: str
) -> None:
    end = milepost.record(callback("second")).position
    with psycopg.connect(dsn, autocommit=True) as other:
        other.execute("SELECT setval('milepost_events_notification_id_seq', 1)")

    position = milepost.record(callback("third")).position

    assert position is not None
    assert end is not None
    assert position > end


def test_a_log_that_is_being_restored_takes_no_callback(milepost: Milepost, dsn: str) -> None:
    """`pg_restore --clean` makes the table, and gives it its sequence a moment later."""
    column = "ALTER TABLE milepost_events ALTER COLUMN notification_id"
    sequence = "nextval('milepost_events_notification_id_seq')"
    with psycopg.connect(dsn, autocommit=True) as restoring:
        restoring.execute(f"{column} DROP DEFAULT")

        with pytest.raises(StoreUnavailable, match="in the middle of a restore"):
            milepost.record(callback("second"))

        restoring.execute(f"{column} SET DEFAULT {sequence}")
    assert milepost.record(callback("second")).version == 2


def test_an_account_that_may_not_move_the_sequence_hears_which_right_it_lacks(
    server: PostgresServer, milepost: Milepost, dsn: str
) -> None:
    with psycopg.connect(dsn, autocommit=True) as owner:
        owner.execute("CREATE ROLE writer LOGIN")
        owner.execute(
            "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO writer"
        )
        owner.execute("GRANT USAGE ON SEQUENCE milepost_events_notification_id_seq TO writer")
        owner.execute("ALTER SEQUENCE milepost_events_notification_id_seq RESTART")
    as_writer = Milepost(
        {
            "PERSISTENCE_MODULE": "domain.log.postgres",
            "DATABASE_URL": dsn.replace("postgres@", "writer@"),
            "CREATE_TABLE": "n",
        }
    )

    with pytest.raises(StoreUnavailable, match="GRANT UPDATE ON SEQUENCE"):
        as_writer.record(callback("second"))

    as_writer.close()


def test_a_full_queue_of_wake_ups_stops_no_callback(small_queue: PostgresServer) -> None:
    """A session that listens and stays in a transaction keeps everything in the queue."""
    dsn = create_database(small_queue.dsn)
    milepost = opened(dsn)
    with (
        psycopg.connect(dsn, autocommit=True) as sleeper,
        psycopg.connect(dsn, autocommit=True) as talker,
    ):
        sleeper.execute("LISTEN milepost_events")
        sleeper.execute("BEGIN")
        sleeper.execute("SELECT 1")
        with pytest.raises(psycopg.errors.ProgramLimitExceeded):
            fill_the_queue(talker)

        receipt = milepost.record(Callback(job_id="job", status="provisioning"))

        assert receipt.version == 1
    milepost.close()


@pytest.fixture
def small_queue() -> Iterator[PostgresServer]:
    """A PostgreSQL whose queue of notifications is soon full."""
    with own_server(settings={"max_notify_queue_pages": 64}) as made:
        yield made


def fill_the_queue(talker: Operator) -> None:
    for number in range(10_000):
        talker.execute("SELECT pg_notify('others', %s)", (f"{number:05}".ljust(7_000, "."),))
