"""The end of an outage, in which callbacks were answered 503, is told."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from eventsourcing.persistence import OperationalError

from domain.application import Milepost
from domain.errors import StoreUnavailable
from domain.job.callback import Callback
from domain.writing.batch import Receipt
from domain.writing.committing import Committing
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


class Process:
    """A process that commits, to a store that can be away."""

    def __init__(self, clock: Clock, told: Told) -> None:
        self._milepost = Milepost({"PERSISTENCE_MODULE": "domain.log.memory"}, clock=clock)
        self.store: Any = Reached(self._milepost.store, clock)
        self._committing = Committing(
            self.store, self._milepost.mapper, self._milepost.end, clock.passed
        )
        self._committing.when_back(told)

    def record(self) -> Receipt:
        """Record a heartbeat."""
        [receipt] = self._committing.commit([self._milepost.recording(HEARTBEAT)])
        assert isinstance(receipt, Receipt)
        return receipt

    def fail(self) -> None:
        """Fail to record one."""
        with pytest.raises(StoreUnavailable):
            self.record()


def test_the_first_commit_after_a_minute_without_one_is_told(clock: Clock) -> None:
    told = Told()
    process = Process(clock, told)
    process.record()
    process.store.is_away = True
    for _ in range(4):
        process.fail()
        clock.advance(20)
    process.store.is_away = False

    for _ in range(2):
        process.record()

    assert told == [NOON + timedelta(seconds=80)]


def test_a_short_outage_is_not_told(clock: Clock) -> None:
    told = Told()
    process = Process(clock, told)
    process.store.is_away = True
    process.fail()
    clock.advance(60)
    process.store.is_away = False

    process.record()

    assert told == []


def test_outages_between_which_callbacks_were_stored_do_not_add_up(clock: Clock) -> None:
    told = Told()
    process = Process(clock, told)
    for _ in range(5):
        process.store.is_away = True
        process.fail()
        clock.advance(40)
        process.store.is_away = False
        process.record()

    assert told == []


def test_a_commit_that_hung_for_long_was_an_outage(clock: Clock) -> None:
    told = Told()
    process = Process(clock, told)
    process.store.seconds = 16 * 60

    process.record()

    assert len(told) == 1


def test_what_could_not_be_told_is_told_after_the_next_commit(clock: Clock) -> None:
    """And the commit itself stands."""
    told = Told(failures=1)
    process = Process(clock, told)
    process.store.is_away = True
    process.fail()
    clock.advance(61)
    process.store.is_away = False

    first = process.record()
    assert (first.version, told) == (1, [])
    process.record()

    assert len(told) == 1
