"""Chores: each is asked when it is due, and none can harm the projector or another chore."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread

import pytest
from eventsourcing.persistence import OperationalError

from domain.job.callback import Callback
from projections.chore import AT_ONCE, IDLE_SECONDS, Chore
from projections.projecting.chores import (
    LOG_AGAIN_SECONDS,
    LONGEST_RETRY_SECONDS,
    SHORTEST_RETRY_SECONDS,
    Chores,
)
from projections.projecting.projector import Projector
from tests.support.projectors.chores import EverySecond
from tests.support.stores.deployment import Deployment

PATIENCE = 20.0
"""How many seconds a test waits for what must happen, before it fails."""


class Seconds:
    """A monotonic clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Planned:
    """A chore that does as planned: returns the seconds, or raises the error. Then it is idle."""

    def __init__(self, *plan: float | Exception) -> None:
        self.plan = list(plan)
        self.calls: list[str] = []

    def begin(self) -> None:
        """Note the call."""
        self.calls.append("begin")

    def step(self) -> float:
        """Note the call, and do what is planned."""
        self.calls.append("step")
        planned = self.plan.pop(0) if self.plan else IDLE_SECONDS
        if isinstance(planned, Exception):
            raise planned
        return planned


class Unbegun(Planned):
    """A chore that cannot begin."""

    def begin(self) -> None:
        """Fail."""
        super().begin()
        raise ZeroDivisionError("a bug")


@pytest.fixture
def clock() -> Seconds:
    """A clock that stands."""
    return Seconds()


def test_a_chore_begins_once_and_before_its_first_step(clock: Seconds) -> None:
    chore = Planned(AT_ONCE, AT_ONCE)
    chores = Chores([chore], clock)

    chores.begin()
    for _ in range(3):
        chores.step()

    assert chore.calls == ["begin", "step", "step", "step"]


def test_every_chore_begins_anew_with_each_time_that_its_projector_is_active(
    clock: Seconds,
) -> None:
    chore = Planned(50.0)
    chores = Chores([chore], clock)
    chores.begin()
    chores.step()

    chores.begin()
    chores.step()

    assert chore.calls == ["begin", "step"] * 2


def test_a_chore_is_asked_again_when_it_said_and_not_before(clock: Seconds) -> None:
    chore = Planned(5.0)
    chores = Chores([chore], clock)

    assert chores.step() == 5.0
    clock.now = 4.0
    assert chores.step() == 1.0
    assert chore.calls == ["begin", "step"]
    clock.now = 5.0
    chores.step()
    assert chore.calls == ["begin", "step", "step"]


def test_the_next_step_is_due_with_the_first_of_all_chores(clock: Seconds) -> None:
    assert Chores([Planned(5.0), Planned(2.0)], clock).step() == 2.0
    assert Chores([Planned(5.0), Planned(AT_ONCE)], clock).step() == AT_ONCE
    assert Chores([], clock).step() == IDLE_SECONDS


@pytest.mark.parametrize("error", [ZeroDivisionError("a bug"), OperationalError("away")])
def test_a_chore_that_fails_keeps_no_other_from_its_step(clock: Seconds, error: Exception) -> None:
    before, after = Planned(), Planned()
    chores = Chores([before, Planned(error), after], clock)

    chores.step()

    assert before.calls == after.calls == ["begin", "step"]


def test_a_chore_that_failed_begins_anew_before_it_is_tried_again(clock: Seconds) -> None:
    """What it had learnt before may be wrong: the watchdog, say, is patient again."""
    chore = Planned(OperationalError("away"))
    chores = Chores([chore], clock)

    assert chores.step() == SHORTEST_RETRY_SECONDS
    clock.now = SHORTEST_RETRY_SECONDS
    assert chores.step() == IDLE_SECONDS

    assert chore.calls == ["begin", "step", "begin", "step"]


def test_a_chore_that_cannot_begin_does_no_step_and_is_tried_again(clock: Seconds) -> None:
    chore = Unbegun()
    chores = Chores([chore], clock)

    assert chores.step() == SHORTEST_RETRY_SECONDS
    clock.now = SHORTEST_RETRY_SECONDS
    chores.step()

    assert chore.calls == ["begin", "begin"]


def test_a_chore_that_goes_on_failing_is_tried_less_and_less_often(clock: Seconds) -> None:
    """Each try may cost the projector a time-out of the database."""
    chores = Chores([Planned(*[OperationalError("away")] * 9, IDLE_SECONDS)], clock)
    pauses = list[float]()
    for _ in range(9):
        pauses.append(chores.step())
        clock.now += pauses[-1]

    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60, LONGEST_RETRY_SECONDS]

    assert chores.step() == IDLE_SECONDS
    clock.now += IDLE_SECONDS
    assert chores.step() == IDLE_SECONDS


def test_a_success_ends_the_long_pauses(clock: Seconds) -> None:
    error = OperationalError("away")
    chores = Chores([Planned(error, error, IDLE_SECONDS, error)], clock)
    pauses = list[float]()
    for _ in range(4):
        pauses.append(chores.step())
        clock.now += pauses[-1]

    assert pauses == [1, 2, IDLE_SECONDS, SHORTEST_RETRY_SECONDS]


def test_each_kind_of_error_is_logged_once(
    clock: Seconds, caplog: pytest.LogCaptureFixture
) -> None:
    """A bug with its traceback, a database that is away in one line."""
    plan = [ZeroDivisionError("a bug"), OperationalError("away")] * 3
    chores = Chores([Planned(*plan)], clock)
    for _ in plan:
        clock.now += chores.step()

    bug, away = caplog.records
    assert bug.getMessage() == "the chore Planned failed, trying again in 1 s: a bug"
    assert (bug.levelno, bug.exc_info is not None) == (logging.ERROR, True)
    assert away.getMessage() == "the chore Planned failed, trying again in 2 s: away"
    assert (away.levelno, away.exc_info) == (logging.WARNING, None)


def test_an_error_that_stays_is_logged_again_from_time_to_time(
    clock: Seconds, caplog: pytest.LogCaptureFixture
) -> None:
    chores = Chores([Planned(*[OperationalError("away")] * 3)], clock)

    chores.step()
    clock.now = LOG_AGAIN_SECONDS - 1
    chores.step()
    assert len(caplog.records) == 1

    clock.now = LOG_AGAIN_SECONDS + LONGEST_RETRY_SECONDS
    chores.step()
    assert len(caplog.records) == 2


# In a projector


@contextmanager
def projecting(made: Deployment, *chores: Chore) -> Iterator[None]:
    """Run a projector with these chores in a thread of its own."""
    projector = Projector(
        made.milepost.store,
        made.read_model,
        made.milepost.mapper,
        made.workflows,
        chores=chores,
    )
    stop = Event()
    thread = Thread(target=projector.run, args=(stop,))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        projector.interrupt()
        thread.join(PATIENCE)
    assert not thread.is_alive()


def heartbeat(made: Deployment) -> int:
    """Record a heartbeat, and return its position."""
    position = made.milepost.record(Callback(job_id="job", type="heartbeat")).position
    made.read_model.wake()
    assert position is not None
    return position


def test_a_chore_that_fails_does_not_stop_projecting(stores: Deployment) -> None:
    failing, asked = Planned(*[ZeroDivisionError("a bug")] * 1_000), Event()

    with projecting(stores, failing, EverySecond(asked.set)):
        assert asked.wait(PATIENCE)
        assert stores.reader.catching_up.wait_for(heartbeat(stores), PATIENCE)
        assert stores.reader.catching_up.wait_for(heartbeat(stores), PATIENCE)

    assert failing.calls[:2] == ["begin", "step"]


class Long:
    """A chore that has more to do 200 times, and notes how far the read model is each time."""

    def __init__(self, made: Deployment) -> None:
        self._made = made
        self.positions: list[int] = []
        self.done = Event()

    def begin(self) -> None:
        """Do nothing."""

    def step(self) -> float:
        """Note the position, and add an event."""
        self.positions.append(self._made.read_model.position())
        if len(self.positions) == 200:
            self.done.set()
        if self.done.is_set():
            return IDLE_SECONDS
        heartbeat(self._made)
        return AT_ONCE


def test_a_chore_with_more_to_do_is_asked_again_after_the_next_events_are_folded(
    memory: Deployment,
) -> None:
    long = Long(memory)

    with projecting(memory, long):
        assert long.done.wait(PATIENCE)

    assert long.positions[:200] == list(range(200))
