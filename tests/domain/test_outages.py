"""The end of an outage, in which callbacks were answered 503, is told."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from eventsourcing.persistence import OperationalError

from domain.application import Milepost
from domain.errors import StoreUnavailable
from domain.job.callback import Callback
from tests.support.stores.deployment import NOON, Clock

HEARTBEAT = Callback(job_id="job", type="heartbeat")


class Reached:
    """A store that can be reached, or cannot; each attempt takes some seconds."""

    def __init__(self, store: Any, clock: Clock) -> None:
        self._store, self._clock = store, clock
        self.is_away = False
        self.seconds = 0.0

    def transact(self, *arguments: Any) -> Any:
        """Append, unless the store is away."""
        self._clock.advance(self.seconds)
        if self.is_away:
            raise OperationalError("away")
        return self._store.transact(*arguments)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


class Told(list[datetime]):
    """What a listener was told; at first, it cannot store it."""

    def __init__(self, failures: int = 0) -> None:
        super().__init__()
        self.failures = failures

    def __call__(self, now: datetime) -> None:
        """Store the end of an outage."""
        if self.failures:
            self.failures -= 1
            raise OperationalError("away again")
        self.append(now)


def process(clock: Clock, told: Told) -> tuple[Milepost, Reached]:
    milepost = Milepost(
        {"PERSISTENCE_MODULE": "domain.log.memory"}, clock=clock, passed=clock.passed
    )
    store: Any = Reached(milepost.store, clock)
    milepost.store = store
    milepost.when_back(told)
    return milepost, store


def fail(milepost: Milepost) -> None:
    with pytest.raises(StoreUnavailable):
        milepost.record(HEARTBEAT)


def test_the_first_commit_after_a_minute_without_one_is_told(clock: Clock) -> None:
    told = Told()
    milepost, store = process(clock, told)
    milepost.record(HEARTBEAT)
    store.is_away = True
    for _ in range(4):
        fail(milepost)
        clock.advance(20)
    store.is_away = False

    for _ in range(2):
        milepost.record(HEARTBEAT)

    assert told == [NOON + timedelta(seconds=80)]


def test_a_short_outage_is_not_told(clock: Clock) -> None:
    told = Told()
    milepost, store = process(clock, told)
    store.is_away = True
    fail(milepost)
    clock.advance(60)
    store.is_away = False

    milepost.record(HEARTBEAT)

    assert told == []


def test_outages_between_which_callbacks_were_stored_do_not_add_up(clock: Clock) -> None:
    told = Told()
    milepost, store = process(clock, told)
    for _ in range(5):
        store.is_away = True
        fail(milepost)
        clock.advance(40)
        store.is_away = False
        milepost.record(HEARTBEAT)

    assert told == []


def test_a_commit_that_hung_for_long_was_an_outage(clock: Clock) -> None:
    told = Told()
    milepost, store = process(clock, told)
    store.seconds = 16 * 60

    milepost.record(HEARTBEAT)

    assert len(told) == 1


def test_what_could_not_be_told_is_told_after_the_next_commit(clock: Clock) -> None:
    """And the commit itself stands."""
    told = Told(failures=1)
    milepost, store = process(clock, told)
    store.is_away = True
    fail(milepost)
    clock.advance(61)
    store.is_away = False

    first = milepost.record(HEARTBEAT)
    assert (first.version, told) == (1, [])
    milepost.record(HEARTBEAT)

    assert len(told) == 1
