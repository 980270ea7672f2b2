"""The first pass of a rebuild writes every row once, and no interruption loses an event."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import msgspec
import pytest
from eventsourcing.persistence import StoredEvent

from domain.job.events import StopRequested
from domain.log.store import Append
from projections.folding.job_fold import JobFold
from projections.projecting.projector import Projector
from projections.read_model.contract import PositionMoved, ReadModel
from projections.read_model.rows import Changes
from projections.read_model.tables import VIEWS
from projections.reading.time_travel import PointInHistory, travel
from projections.rebuilding.contract import Shadow
from projections.rebuilding.first_pass import FirstPass
from projections.rebuilding.rebuild import Progress, Rebuild
from projections.views.view import Views
from tests.support.jobs.rows import JOBS, assert_every_row_is_right, heartbeat, lived
from tests.support.projectors.projecting import Crash, UnreliableReadModel, projector
from tests.support.projectors.rebuilding import rebuild_over, rows
from tests.support.stores.deployment import NOON, Clock, Deployment
from tests.support.stores.tampering import Database

LONG = 2_500
When = Literal["before", "after", "never"]


class UnreliableShadow:
    """Tables whose `apply` or end of the first pass ends the process, as planned."""

    def __init__(self, real: Shadow, plan: list[When]) -> None:
        self._real, self._plan = real, plan
        self.read_model = UnreliableReadModel(real.read_model, plan)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def end_first_pass(self, generation: int, position: int, until: int) -> None:
        crash = self._plan.pop(0) if self._plan else "never"
        if crash == "before":
            raise Crash
        self._real.end_first_pass(generation, position, until)
        if crash == "after":
            raise Crash


class Noting(UnreliableReadModel):
    """A read model that records what is written."""

    def __init__(self, real: ReadModel, written: list[Changes]) -> None:
        super().__init__(real, [])
        self._written = written

    def apply(self, changes: Changes) -> None:
        self._written.append(changes)
        super().apply(changes)


class Recording(UnreliableShadow):
    """Tables that record what is written to them."""

    def __init__(self, real: Shadow) -> None:
        super().__init__(real, [])
        self.written: list[Changes] = []
        self.read_model = Noting(real.read_model, self.written)


def over(made: Deployment, shadow: object, page: int = 10) -> Rebuild:
    """Return a rebuild over these tables that takes many steps."""
    return rebuild_over(made, shadow, batch=3, batches=1, page=page)


def past(made: Deployment, page: int = 10) -> FirstPass:
    return FirstPass(made.shadow, JobFold(made.milepost.mapper, made.workflows), page=page)


def unreadable(made: Deployment, job_id: str, version: int) -> None:
    events = [StoredEvent(job_id, version, "JobPainted", b"{}")]
    made.milepost.store.transact({}, [], lambda _: Append(events))


def long_job(made: Deployment, job_id: str = "long", events: int = LONG) -> None:
    state = msgspec.json.encode(StopRequested(recorded_at=NOON))
    requests = [
        StoredEvent(job_id, version, "StopRequested", state) for version in range(1, events + 1)
    ]
    made.milepost.store.transact({}, [], lambda _: Append(requests))


# Every row once


def test_every_row_of_the_first_pass_is_written_once(databases: Deployment, clock: Clock) -> None:
    """This holds for any order of the jobs' events, and for any size of page."""
    lived(databases, clock)
    shadow = Recording(databases.shadow)

    over(databases, shadow, page=7).run()

    for view in (
        [row.job_id for changes in shadow.written for row in changes.instances],
        [row.job_id for changes in shadow.written for row in changes.timelines],
    ):
        assert view == sorted(JOBS)
    assert_every_row_is_right(databases)


def test_a_job_is_not_held_as_a_whole(databases: Deployment) -> None:
    """Its snapshots and set-aside events are written before the job has ended."""
    long_job(databases)
    unreadable(databases, "long", LONG + 1)
    shadow = Recording(databases.shadow)

    over(databases, shadow, page=400).run()

    snapshots = [[each.version for each in changes.snapshots] for changes in shadow.written]
    assert snapshots[:2] == [[1000, 1000], [2000, 2000]]
    assert [changes.set_aside != [] for changes in shadow.written] == [False, False, True, False]
    assert [len(changes.instances) for changes in shadow.written] == [0, 0, 0, 1]


# Rows never ahead of the position


def test_the_first_pass_folds_the_events_that_the_log_had_at_its_beginning(
    databases: Deployment, clock: Clock
) -> None:
    """So no row is ahead of the position at which the first pass ends."""
    lived(databases, clock)
    databases.projector.catch_up()
    before, position = rows(databases), databases.read_model.position()
    databases.shadow.begin()
    for job_id in (*JOBS, "another"):
        heartbeat(databases, job_id)

    past(databases).catch_up(lambda *_: None)

    for view in VIEWS:
        folded = databases.shadow.rows(view, "", 100)
        assert {row.job_id: row.document for row in folded} == {
            job_id: row.document for job_id, row in before[view].items()
        }
    assert databases.shadow.read_model.position() == position
    assert databases.shadow.first_pass() is None


def test_events_that_come_during_the_first_pass_are_folded_after_it(
    databases: Deployment, clock: Clock
) -> None:
    """They are of jobs with and without a row yet, and of new jobs before and after these."""
    lived(databases, clock)
    reports = iter(range(6))

    def report(_: Progress) -> None:
        if next(reports, None) is not None:
            for job_id in (*JOBS, "another", "zero"):
                heartbeat(databases, job_id)

    rebuilt = over(databases, databases.shadow).run(on_progress=report)

    assert_every_row_is_right(databases)
    assert rebuilt.events == rebuilt.position == databases.read_model.log.newest_position()
    assert list(databases.read_model.documents("instances", ["another", "zero"])) != []
    assert [each for _, some in databases.rebuild.comparison().with_events() for each in some] == []


def test_rows_of_half_a_first_pass_are_not_served(databases: Deployment, clock: Clock) -> None:
    """This holds also if the served rows have no later position."""
    lived(databases, clock)
    databases.shadow.begin()
    assert databases.read_model.position() == 0

    assert not databases.shadow.swap()

    past(databases).catch_up(lambda *_: None)
    projector(databases, databases.shadow.read_model).catch_up()
    databases.shadow.make_indexes()
    assert databases.shadow.swap()
    assert_every_row_is_right(databases)


def test_a_first_pass_over_events_that_the_log_lost_begins_again(
    databases: Deployment, clock: Clock
) -> None:
    lived(databases, clock)
    with pytest.raises(Crash):
        over(databases, UnreliableShadow(databases.shadow, ["never", "after"])).run()
    left = databases.read_model.rebuilt_position()
    assert left
    assert left < databases.read_model.log.newest_position() - 1
    Database(databases).run(
        "DELETE FROM milepost_events WHERE notification_id = ?",
        [databases.read_model.log.newest_position()],
    )

    assert databases.rebuild.run().began_at == 0

    assert_every_row_is_right(databases)


# Interruptions


@pytest.mark.parametrize("when", ["before", "after"])
def test_an_interruption_at_any_write_loses_nothing(
    databases: Deployment, clock: Clock, when: When
) -> None:
    """It happens in the first pass and after it, and new events come before the rebuild goes on."""
    lived(databases, clock, times=30)
    long_job(databases, "painted", 12)
    unreadable(databases, "painted", 13)
    databases.projector.catch_up()
    aside, painted = list(databases.read_model.set_aside()), of_painted(databases)
    ended_in: list[bool] = []

    def some() -> None:
        for job_id in JOBS:
            heartbeat(databases, job_id)

    for writes in range(100):
        never: list[When] = ["never"]
        plan = never * writes + [when]
        with_crash = over(databases, UnreliableShadow(databases.shadow, plan), page=9)
        try:
            with_crash.run(afresh=True, on_progress=once(some))
        except Crash:
            ended_in.append(databases.shadow.first_pass() is None)
        else:
            break
        heartbeat(databases, "three")
        databases.projector.catch_up()

        another = databases.again()
        rebuilt = over(another, another.shadow, page=9).run()
        another.close()

        assert rebuilt.differences == 0
        assert list(databases.read_model.set_aside()) == aside != []
        assert of_painted(databases) == painted != {}
        assert_every_row_is_right(databases)

    assert ended_in == sorted(ended_in)
    assert {*ended_in} == {False, True}, "in the past, and after it"
    assert_every_row_is_right(databases)


def of_painted(made: Deployment) -> Any:
    return {view: made.read_model.documents(view, ["painted"]) for view in VIEWS}


def test_a_rebuild_that_is_interrupted_many_times_comes_to_the_end(
    databases: Deployment, clock: Clock
) -> None:
    lived(databases, clock)
    crashes, folded = 0, 0

    def count(progress: Progress) -> None:
        nonlocal folded
        folded = max(folded, progress.position)

    while True:
        try:
            shadow = UnreliableShadow(databases.shadow, ["never", "before"])
            over(databases, shadow, page=50).run(on_progress=count)
            break
        except Crash:
            crashes += 1
            heartbeat(databases)

    assert crashes > 1
    assert folded == databases.read_model.log.newest_position()
    assert_every_row_is_right(databases)


def test_two_rebuilds_at_once_do_not_mix_their_rows(databases: Deployment, clock: Clock) -> None:
    """For example, the first one lost its lock with its connection. Then one of them stops."""
    lived(databases, clock)
    databases.shadow.begin()
    second = past(databases, page=1000)

    def overtaken() -> None:
        second.catch_up(lambda *_: None)

    with pytest.raises(PositionMoved):
        past(databases, page=10).catch_up(once(overtaken))

    projector(databases, databases.shadow.read_model).catch_up()
    databases.shadow.make_indexes()
    assert databases.shadow.swap()
    assert_every_row_is_right(databases)


def test_a_rebuild_does_not_write_into_the_tables_of_a_later_one(
    databases: Deployment, clock: Clock
) -> None:
    """Somebody drops the first one's tables, a second one begins, and the first one goes on."""
    lived(databases, clock)
    databases.shadow.begin()

    def replaced() -> None:
        assert databases.shadow.drop()
        heartbeat(databases, "later")
        databases.shadow.begin()

    with pytest.raises(PositionMoved):
        past(databases, page=1000).catch_up(once(replaced))

    past(databases, page=1000).catch_up(lambda *_: None)
    projector(databases, databases.shadow.read_model).catch_up()
    databases.shadow.make_indexes()
    assert databases.shadow.swap()
    assert_every_row_is_right(databases)


def once(work: Callable[..., object]) -> Callable[..., object]:
    left = iter([work])
    return lambda *_: next(left, lambda: None)()


# Long jobs


def test_time_travel_answers_after_a_rebuild_as_before(databases: Deployment) -> None:
    """A rebuild makes a snapshot of every thousandth version."""
    long_job(databases)
    heartbeat(databases, "long")
    Projector(
        databases.milepost.store,
        databases.read_model,
        databases.milepost.mapper,
        databases.workflows,
        batch=700,
    ).catch_up()
    before = travelled(databases)

    over(databases, databases.shadow, page=700).run()

    assert travelled(databases) == before
    for view in VIEWS:
        for until, version in ((999, None), (1000, 1000), (1999, 1000), (LONG, 2000)):
            snapshot = databases.read_model.snapshot(view, "long", until)
            assert (snapshot and snapshot.version) == version


def travelled(made: Deployment) -> list[Any]:
    versions = (1, 999, 1000, 1001, 1500, 2000, 2001, LONG, LONG + 1)
    views, read_model, mapper = Views(), made.read_model, made.milepost.mapper
    return [
        (
            travel(views.instance, "long", PointInHistory(version), read_model, mapper),
            travel(views.timeline, "long", PointInHistory(version), read_model, mapper),
        )
        for version in versions
    ]
