"""Whether commits succeed is known without asking the database."""

from __future__ import annotations

import psycopg
import pytest
from eventsourcing.persistence import OperationalError
from psycopg_pool import PoolTimeout

from domain.log.refusals import FileReplaced, NotReplicated, Refusal, refusal_of
from domain.writing.commit_watch import CommitWatch, Trouble
from tests.support.stores.deployment import Clock


@pytest.fixture
def watch(clock: Clock) -> CommitWatch:
    """A watch by a clock that the test moves."""
    return CommitWatch(clock.passed)


def away() -> OperationalError:
    error = OperationalError("the library's")
    error.__cause__ = psycopg.errors.AdminShutdown()
    return error


def test_nothing_is_wrong_before_the_first_commit(watch: CommitWatch) -> None:
    assert watch.trouble() is None


def test_a_commit_that_takes_more_than_five_seconds_hangs(watch: CommitWatch, clock: Clock) -> None:
    watch.begin()
    clock.advance(5)
    assert watch.trouble() is None
    clock.advance(1)

    assert watch.trouble() == Trouble("hanging", 6)
    watch.end()
    assert watch.trouble() is None


def test_a_refused_commit_counts_until_the_next_one_succeeds(
    watch: CommitWatch, clock: Clock
) -> None:
    watch.begin()
    watch.fail(away())
    watch.end()
    clock.advance(10)
    assert watch.trouble() == Trouble("away", 10)

    watch.begin()
    watch.succeed()
    watch.end()

    assert watch.trouble() is None


def test_a_refused_commit_counts_for_thirty_seconds(watch: CommitWatch, clock: Clock) -> None:
    """A balancer that sends nothing more would else never send anything again."""
    watch.fail(away())

    clock.advance(30)
    assert watch.trouble() == Trouble("away", 30)
    clock.advance(1)

    assert watch.trouble() is None


def test_a_commit_that_failed_for_its_own_data_counts_for_nothing(watch: CommitWatch) -> None:
    """Who may send callbacks could else take the server out of its balancer."""
    watch.begin()
    watch.fail(OperationalError())
    watch.end()

    assert watch.trouble() is None


@pytest.mark.parametrize(
    ("cause", "reason"),
    [
        (psycopg.errors.DiskFull(), "disk_full"),
        (psycopg.errors.ReadOnlySqlTransaction(), "read_only"),
        (psycopg.errors.InsufficientPrivilege(), "forbidden"),
        (psycopg.errors.LockNotAvailable(), "busy"),
        (psycopg.errors.UndefinedTable(), "no_tables"),
        (psycopg.errors.AdminShutdown(), "away"),
        (psycopg.errors.TooManyConnections(), "away"),
        (psycopg.OperationalError("connection refused"), "away"),
        (PoolTimeout("no connection after 3 s"), "away"),
        (psycopg.errors.DivisionByZero(), None),
        (NotReplicated(), "not_replicated"),
        (FileReplaced(), "file_replaced"),
    ],
)
def test_the_drivers_error_gives_the_reason(cause: Exception, reason: Refusal | None) -> None:
    error = OperationalError("the library's")
    error.__cause__ = cause

    assert refusal_of(error) == reason
