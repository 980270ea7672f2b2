"""Whose clock counts: one per store, whatever the hosts' clocks say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import LiteralString

import pytest

from domain.application import Milepost
from domain.job.callback import Callback
from domain.log.clock import CarriedClock
from domain.log.postgres import CARRIED_SECONDS, PostgresRecorder
from tests.support.stores.deployment import NOON, Clock, Deployment

HEARTBEAT = Callback(job_id="job", type="heartbeat")


FIVE_HOURS_AHEAD: tuple[LiteralString, ...] = (
    "CREATE SCHEMA ahead",
    """CREATE FUNCTION ahead.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE AS
       $$ SELECT pg_catalog.clock_timestamp() + interval '5 hours' $$""",
    # Only in a session at work: no session begins with another schema before PostgreSQL's.
    "SET search_path = public, ahead, pg_catalog",
)


def database_now(made: Deployment) -> datetime:
    recorder = made.milepost.recorder
    assert isinstance(recorder, PostgresRecorder)
    [row] = recorder.datastore.rows("SELECT clock_timestamp() AS now")
    found: datetime = row["now"]
    return found


def recorded_at(milepost: Milepost, version: int) -> datetime:
    stored = milepost.store.event("job", version)
    assert stored is not None
    return milepost.mapper.read(stored).fact.recorded_at


@pytest.fixture
def unclocked(postgres: Deployment) -> Milepost:
    """A process over PostgreSQL without a clock of the test."""
    return Milepost(postgres.env)


def test_the_databases_clock_says_when_something_was_recorded(
    postgres: Deployment, unclocked: Milepost
) -> None:
    before = database_now(postgres)
    unclocked.record(HEARTBEAT)

    assert before <= recorded_at(unclocked, 1) <= database_now(postgres)
    assert recorded_at(unclocked, 1).utcoffset() == timedelta(0)


def test_hosts_whose_clocks_are_wrong_by_hours_record_and_judge_by_the_databases(
    postgres: Deployment,
) -> None:
    """The database's clock is 5 hours ahead of that of all its clients."""
    here = Milepost({**postgres.env, "CREATE_TABLE": "no"})
    recorder = here.recorder
    assert isinstance(recorder, PostgresRecorder)
    recorder.datastore.pool.open(wait=True)  # it makes one connection, and one at a time uses it
    here.record(HEARTBEAT)
    with recorder.datastore.get_connection() as connection:
        for statement in FIVE_HOURS_AHEAD:
            connection.execute(statement)

    here.record(HEARTBEAT)

    ahead = timedelta(hours=5)
    at = recorded_at(here, 2)
    assert abs(at - datetime.now(UTC) - ahead) < timedelta(minutes=1)
    for now in (here.store.now(), here.store.about_now()):
        assert abs(now - at) < timedelta(minutes=1)
    assert here.time_out("job").position is None
    here.close()


def test_the_time_is_that_of_the_lock_and_not_of_the_wait_for_it(
    postgres: Deployment, unclocked: Milepost
) -> None:
    """Two processes that wait for each other record in the order of their positions."""
    other = Milepost(postgres.env)
    for number in range(6):
        (unclocked, other)[number % 2].record(HEARTBEAT)

    times = [recorded_at(unclocked, version) for version in range(1, 7)]

    assert times == sorted(times)
    assert len(set(times)) == 6
    other.close()


def test_a_clock_of_the_test_takes_the_place_of_the_stores(
    stores: Deployment, clock: Clock
) -> None:
    stores.milepost.record(HEARTBEAT)
    clock.advance(60)

    assert recorded_at(stores.milepost, 1) == NOON
    assert stores.milepost.store.now() == stores.milepost.store.about_now() == clock()


def test_what_is_shown_counts_by_the_databases_clock(
    postgres: Deployment, unclocked: Milepost
) -> None:
    """Reads do not ask for it each time: this host's monotonic clock carries it on."""
    recorder = unclocked.recorder
    assert isinstance(recorder, PostgresRecorder)

    recorder.read_clock()
    before, carried, after = (
        database_now(postgres),
        recorder.about_now(),
        database_now(postgres),
    )

    assert before - timedelta(seconds=1) <= carried <= after + timedelta(seconds=1)


def test_a_carried_clock_goes_on_by_what_passed_and_not_by_this_hosts_time() -> None:
    passed = [100.0]
    clock = CarriedClock(lambda: passed[0])
    assert abs(clock() - datetime.now(UTC)) < timedelta(minutes=1)
    assert clock.age() > CARRIED_SECONDS

    clock.was_read(NOON)
    passed[0] += 90

    assert clock() == NOON + timedelta(seconds=90)
    assert clock.age() == 90
