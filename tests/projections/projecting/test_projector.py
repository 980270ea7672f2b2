"""The projector: every event is folded exactly once, whatever happens in between."""

from __future__ import annotations

import random
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from functools import partial
from itertools import islice
from threading import Event, Thread
from typing import Any

import psycopg
import pytest
from eventsourcing.persistence import OperationalError, StoredEvent

from domain.job.callback import Callback
from domain.log.store import Append
from projections.folding.job_fold import JobFold
from projections.projecting.projector import LOOK_SECONDS
from projections.projecting.stepper import Stepper
from projections.read_model.contract import ReadModel
from projections.read_model.filters import JobFilter
from projections.read_model.rows import Changes, InstanceRow, Row, SetAside
from projections.reading.catching_up import MAX_WAITERS
from projections.views.instance import Instance
from projections.views.view import Views
from tests.support.jobs.rows import (
    JOBS,
    VIEWS,
    assert_every_read_is_right,
    assert_every_row_is_right,
    folded,
    heartbeat,
    lived,
    loaded,
)
from tests.support.projectors.chores import EverySecond
from tests.support.projectors.projecting import (
    PATIENCE,
    Crash,
    Rests,
    UnreliableReadModel,
    projector,
    running,
    wait_until,
)
from tests.support.stores.deployment import Clock, Deployment
from tests.support.stores.tampering import Database

# Catching up


def test_catching_up_folds_every_event(stores: Deployment, clock: Clock) -> None:
    lived(stores, clock)
    events = len(stores.milepost.store.events(0, 10_000))

    assert stores.projector.catch_up() == events
    assert stores.projector.catch_up() == 0

    assert_every_row_is_right(stores)


def test_catching_up_in_batches_of_any_size_gives_the_same_rows(
    stores: Deployment, clock: Clock
) -> None:
    chance = random.Random(11)
    for seed in range(6):
        lived(stores, clock, times=chance.randint(1, 20), seed=seed)

        projector(stores, batch=chance.randint(1, 9), batches=chance.randint(1, 4)).catch_up()

        assert_every_row_is_right(stores)


def test_far_behind_a_job_that_comes_in_many_batches_is_written_once(
    stores: Deployment, clock: Clock
) -> None:
    lived(stores, clock)
    written: list[Changes] = []

    class Recording(UnreliableReadModel):
        def apply(self, changes: Changes) -> None:
            written.append(changes)
            super().apply(changes)

    projector(stores, Recording(stores.read_model, []), batch=2, batches=1000).catch_up()

    [changes] = written
    assert sorted(row.job_id for row in changes.instances) == sorted(JOBS)
    assert sorted(row.job_id for row in changes.timelines) == sorted(JOBS)
    assert_every_row_is_right(stores)


def test_a_list_shows_what_was_projected(stores: Deployment, clock: Clock) -> None:
    lived(stores, clock)
    assert list(stores.reader.instances(JobFilter())) == []

    stores.projector.catch_up()

    listed = list(stores.reader.instances(JobFilter()))
    assert [instance.job_id for instance in listed] == ["three", "two", "one"]
    assert [stores.reader.present(instance.job_id) for instance in listed] == listed


# Exactly once


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_crash_between_any_two_steps_loses_and_doubles_nothing(
    stores: Deployment, clock: Clock, seed: int
) -> None:
    """Rows and position commit together, so whoever comes next goes on from there."""
    chance = random.Random(seed)
    lived(stores, clock, seed=seed)
    plan = [chance.choice(("before", "after", "never")) for _ in range(12)]
    unreliable = UnreliableReadModel(stores.read_model, [*plan])  # type: ignore[list-item]
    crashes = 0
    while True:
        try:
            sizes = {"batch": chance.randint(1, 9), "batches": chance.randint(1, 3)}
            projector(stores, unreliable, **sizes).catch_up()
            break
        except Crash:
            crashes += 1
            assert_every_read_is_right(stores)

    assert crashes > 0
    assert_every_row_is_right(stores)


def test_another_process_goes_on_where_one_ended(databases: Deployment, clock: Clock) -> None:
    lived(databases, clock)
    unreliable = UnreliableReadModel(databases.read_model, ["never", "never", "after"])
    with pytest.raises(Crash):
        projector(databases, unreliable, batch=5, batches=1).catch_up()
    another = databases.again()
    events = len(another.milepost.store.events(0, 10_000))

    assert another.projector.catch_up() == events - 15

    assert_every_row_is_right(another)
    another.close()


def test_two_that_project_at_once_fold_nothing_twice(stores: Deployment, clock: Clock) -> None:
    """The slower one is refused, whole batch by whole batch."""
    lived(stores, clock)

    class Overtaken(UnreliableReadModel):
        def apply(self, changes: Changes) -> None:
            projector(stores, batch=3).catch_up()
            super().apply(changes)

    slower = projector(stores, Overtaken(stores.read_model, []), batch=7)
    with running(slower):
        assert stores.reader.catching_up.wait_for(stores.read_model.log.newest_position(), PATIENCE)

    assert_every_row_is_right(stores)


# Events that cannot be folded


def test_an_event_that_cannot_be_read_is_set_aside_and_the_rest_goes_on(
    stores: Deployment,
) -> None:
    stores.milepost.record(Callback(job_id="one", status="provisioning"))
    [unknown, broken] = stores.milepost.store.transact(
        {},
        [],
        lambda _: Append(
            [
                StoredEvent("one", 2, "JobPainted", b"{}"),
                StoredEvent("two", 1, "StepReported", b'{"step":'),
            ]
        ),
    )
    for job_id in ("one", "two"):
        stores.milepost.record(Callback(job_id=job_id, status="provisioning", step="vm_created"))

    assert stores.projector.catch_up() == 5

    second, first = stores.read_model.set_aside()
    assert first == SetAside(unknown, "one", 2, "JobPainted", first.error)
    assert first.error.endswith("unknown event 'JobPainted'")
    assert (second.position, second.job_id, second.version) == (broken, "two", 1)
    assert second.topic == "StepReported"
    assert "unreadable StepReported: " in second.error
    for job_id, version in (("one", 3), ("two", 2)):
        instance = stores.reader.instance(job_id)
        assert instance is not None
        assert (instance.version, set(instance.attempt.steps)) == (version, {"vm_created"})


def test_an_event_that_cannot_be_read_is_set_aside_once(stores: Deployment) -> None:
    """Although two views pass over it."""
    unknown = StoredEvent("one", 1, "JobPainted", b"{}")
    stores.milepost.store.transact({}, [], lambda _: Append([unknown]))

    stores.projector.catch_up()
    stores.projector.catch_up()

    assert len(stores.read_model.set_aside()) == 1
    instance = stores.reader.instance("one")
    assert instance is not None
    assert instance.version == 1


def test_reads_pass_over_an_event_that_cannot_be_read(stores: Deployment) -> None:
    """Also before the projector has set it aside."""
    unknown = StoredEvent("one", 1, "JobPainted", b"{}")
    stores.milepost.store.transact({}, [], lambda _: Append([unknown]))
    stores.milepost.record(Callback(job_id="one", status="provisioning"))

    before = stores.reader.instance("one"), stores.reader.timeline("one")
    stores.projector.catch_up()

    assert before[0] is not None
    assert (before[0].version, before[0].status) == (2, "provisioning")
    assert (stores.reader.instance("one"), stores.reader.timeline("one")) == before


# Reading without it


def test_reads_are_right_although_the_projector_never_ran(stores: Deployment, clock: Clock) -> None:
    lived(stores, clock)

    assert_every_read_is_right(stores)
    assert stores.read_model.position() == 0


def test_reads_are_right_however_far_the_projector_is(stores: Deployment, clock: Clock) -> None:
    for seed in range(4):
        lived(stores, clock, times=8, seed=seed)
        assert_every_read_is_right(stores)
        projector(stores, batch=seed + 1).catch_up()
        assert_every_read_is_right(stores)


def test_nobody_is_found_who_was_never_heard_of(stores: Deployment) -> None:
    assert stores.reader.instance("nobody") is None
    assert stores.reader.instance_of("nobody") is None
    assert stores.reader.timeline("nobody") is None


def test_waiting_for_a_position_tells_whether_it_was_reached(stores: Deployment) -> None:
    position = heartbeat(stores)
    assert not stores.reader.catching_up.wait_for(position, 0)

    stores.projector.catch_up()

    assert stores.reader.catching_up.wait_for(position, 0)
    assert not stores.reader.catching_up.wait_for(position + 1, 0)


def test_who_waits_often_leaves_others_places_to_wait_at(memory: Deployment) -> None:
    """Each waiting request holds a thread, so the places are few."""
    position = heartbeat(memory)

    def waiting(caller: str, times: int) -> list[Future[bool]]:
        wait = partial(memory.reader.catching_up.wait_for, position, PATIENCE, caller)
        return [pool.submit(wait) for _ in range(times)]

    with ThreadPoolExecutor(2 * MAX_WAITERS) as pool:
        many = waiting("one", MAX_WAITERS)
        refused = [future.result() for future in islice(as_completed(many), MAX_WAITERS // 2)]
        other = waiting("two", 1)
        memory.projector.catch_up()

    assert refused == [False] * (MAX_WAITERS // 2)
    assert sorted(future.result() for future in many) == [False] * 4 + [True] * 4
    assert other[0].result()


# Running


def test_a_running_projector_folds_what_comes_and_ends_when_it_is_told_to(
    stores: Deployment,
) -> None:
    first = heartbeat(stores)

    with running(stores.projector):
        assert stores.reader.catching_up.wait_for(first, PATIENCE)
        assert stores.reader.catching_up.wait_for(heartbeat(stores), PATIENCE)
        assert stores.reader.catching_up.wait_for(heartbeat(stores, "two"), PATIENCE)

    heartbeat(stores)
    assert stores.read_model.position() < stores.read_model.log.newest_position()


class LongPauses:
    """A read model whose wake-ups come a long time after the projector has nothing to do."""

    def __init__(self, real: ReadModel) -> None:
        self._real = real
        self.is_waiting = Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    @contextmanager
    def projector_lock(self) -> Iterator[LongPauses | None]:
        with self._real.projector_lock() as self.wake_ups:
            yield self

    def wait(self, _: float) -> None:
        self.is_waiting.set()
        assert self.wake_ups
        self.wake_ups.wait(10 * PATIENCE)

    def interrupt(self) -> None:
        assert self.wake_ups
        self.wake_ups.interrupt()


def test_a_projector_that_pauses_ends_as_soon_as_it_is_told_to(stores: Deployment) -> None:
    read_model = LongPauses(stores.read_model)

    with running(projector(stores, read_model)):
        assert read_model.is_waiting.wait(PATIENCE)


def wakes(writing: Deployment, projecting: Deployment) -> bool:
    """Tell whether an event ends the sleep of a projector that would sleep for very long."""
    woken = Event()
    with projecting.read_model.projector_lock() as wake_ups:
        assert wake_ups is not None

        def wait() -> None:
            wake_ups.wait(10 * PATIENCE)
            woken.set()

        thread = Thread(target=wait, daemon=True)
        thread.start()
        heartbeat(writing)
        return woken.wait(PATIENCE)


def test_new_events_wake_the_projector(stores: Deployment) -> None:
    assert wakes(stores, stores)


def test_events_of_another_process_wake_the_projector(databases: Deployment) -> None:
    another = databases.again()

    assert wakes(another, databases)

    another.close()


def test_events_of_another_process_are_projected(databases: Deployment) -> None:
    another = databases.again()

    with running(databases.projector):
        assert databases.reader.catching_up.wait_for(heartbeat(another), PATIENCE)
        assert databases.reader.catching_up.wait_for(heartbeat(another), PATIENCE)

    another.close()


def test_a_projector_does_its_chores_every_second(stores: Deployment) -> None:
    """After it has folded what there was."""
    position, idle = heartbeat(stores), Event()
    folded_when_idle: list[int] = []

    def when_idle() -> None:
        folded_when_idle.append(stores.read_model.position())
        idle.set()

    with running(projector(stores, chores=[EverySecond(when_idle)])):
        assert idle.wait(PATIENCE)

    assert folded_when_idle[0] == position


def test_a_projector_that_was_stopped_during_a_step_does_not_rest_as_long(
    memory: Deployment, clock: Clock
) -> None:
    """The pause in which events gather grows with the time of a step: here, 16 minutes."""
    rests = Rests()
    stopped = EverySecond(lambda: clock.advance(960))

    projector(memory, chores=[stopped], clock=clock.passed).run(rests)

    assert max(rests.seconds) <= LOOK_SECONDS


def test_a_second_projector_stands_by_and_takes_over(databases: Deployment) -> None:
    another = databases.again()
    first_idle, second_idle = Event(), Event()
    first = projector(databases, chores=[EverySecond(first_idle.set)])
    second = projector(another, chores=[EverySecond(second_idle.set)])

    with running(first) as [stop_first]:
        assert first_idle.wait(PATIENCE)
        with running(second):
            assert databases.reader.catching_up.wait_for(heartbeat(databases), PATIENCE)
            assert not second_idle.is_set()
            stop_first.set()
            assert second_idle.wait(PATIENCE)
            assert databases.reader.catching_up.wait_for(heartbeat(databases), PATIENCE)

    another.close()


def test_a_database_that_comes_back_is_projected_again(stores: Deployment) -> None:
    class Away(UnreliableReadModel):
        def apply(self, changes: Changes) -> None:
            try:
                super().apply(changes)
            except Crash:
                raise OperationalError("the database is away") from None

    position = heartbeat(stores)

    with running(projector(stores, Away(stores.read_model, ["before"]))):
        assert stores.reader.catching_up.wait_for(position, PATIENCE)


def test_a_projector_survives_the_loss_of_its_connections(
    postgres: Deployment, postgres_server_dsn: str
) -> None:
    """As after the server was restarted."""
    idle = Event()
    with running(projector(postgres, chores=[EverySecond(idle.set)])):
        assert idle.wait(PATIENCE)
        with psycopg.connect(postgres_server_dsn, autocommit=True) as server:
            server.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s",
                (psycopg.conninfo.conninfo_to_dict(postgres.env["DATABASE_URL"])["dbname"],),
            )

        assert postgres.reader.catching_up.wait_for(heartbeat(postgres), PATIENCE)


# Rows that are wrong, and releases that differ


def broken(made: Deployment, job_id: str) -> None:
    """Put rows there that no release can read, as a changed key of the cipher does."""
    position = made.read_model.position()
    made.read_model.apply(
        Changes(
            position,
            position,
            [InstanceRow(job_id, 1, "no document", 1, None, None, "pending", None, None)],
            [Row(job_id, 1, "no document")],
        )
    )


def test_a_row_that_cannot_be_read_is_folded_anew_and_stops_nothing(stores: Deployment) -> None:
    for job_id in JOBS:
        heartbeat(stores, job_id)
    stores.projector.catch_up()
    broken(stores, "one")

    instance = stores.reader.instance("one")
    listed = stores.reader.instances(JobFilter())
    assert instance is not None
    assert instance.version == 1
    assert {each.job_id for each in listed} == {*JOBS}
    heartbeat(stores, "one")
    heartbeat(stores, "two")
    projector(stores).catch_up()

    assert_every_row_is_right(stores)


def test_what_was_set_aside_is_folded_when_a_release_understands_it(stores: Deployment) -> None:
    """The event is there; only the reading of it failed."""
    stores.milepost.record(Callback(job_id="one", status="running"))
    position = stores.read_model.log.newest_position()
    stores.projector.catch_up()
    aside = SetAside(position, "one", 1, "StatusReported", "unknown event")
    as_if_unread = Instance("one", 1, position, position)
    stores.read_model.apply(
        Changes(
            position,
            position,
            [InstanceRow("one", 1, dumped(as_if_unread), 1, None, None, "pending", None, None)],
            set_aside=[aside],
        )
    )

    with running(projector(stores)):
        wait_until(lambda: not stores.read_model.set_aside())

    instance = stores.reader.instance("one")
    assert instance is not None
    assert instance.status == "running"


def test_what_another_one_folded_anew_is_not_undone_by_what_is_remembered(
    stores: Deployment,
) -> None:
    """The position stands where this projector left it; the rows do not."""
    stores.milepost.record(Callback(job_id="one", status="running"))
    stores.projector.catch_up()
    rewritten(stores, Instance("one", 1, 1, 1))
    returning = projector(stores)
    heartbeat(stores)
    with running(returning):
        wait_until(lambda: is_caught_up(stores))
    rewritten(stores, folded(stores, VIEWS.instance, Instance("one")))

    with running(returning):
        heartbeat(stores)
        wait_until(lambda: is_caught_up(stores))

    rows = loaded(VIEWS.instance, stores.read_model.documents("instances", ["one"]))
    assert rows == {"one": folded(stores, VIEWS.instance, Instance("one"))}


def is_caught_up(made: Deployment) -> bool:
    return made.read_model.position() == made.read_model.log.newest_position()


def rewritten(made: Deployment, state: Instance) -> None:
    """Put another state into the row of "one", as somebody does who folds it anew."""
    position = made.read_model.position()
    document, status = dumped(state), state.status
    row = InstanceRow("one", state.version, document, 1, None, None, status, None, None)
    made.read_model.apply(Changes(position, position, [row]))


def test_a_view_that_fails_is_set_aside_by_name(stores: Deployment) -> None:
    """The instance is right, and nobody is left to wonder about the timeline."""
    fold = JobFold(stores.milepost.mapper, stores.workflows)
    fold.views.timeline.evolve = fails
    heartbeat(stores)

    Stepper(stores.milepost.store, stores.read_model, fold).step()

    [aside] = stores.read_model.set_aside()
    assert (aside.view, aside.error) == ("timelines", "ZeroDivisionError('a bug')")


def fails(*_: object) -> Any:
    raise ZeroDivisionError("a bug")


def dumped(instance: Instance) -> str:
    return Views().instance.dump(instance)


def test_jobs_of_which_nothing_can_be_read_are_listed_one_by_one(stores: Deployment) -> None:
    """They have a place in the order too, so that no page loses any."""
    unreadable = [StoredEvent(job_id, 1, "JobPainted", b"{}") for job_id in JOBS]
    stores.milepost.store.transact({}, [], lambda _: Append(unreadable))
    stores.projector.catch_up()

    listed, before, more = list[str](), None, True
    while more:
        [found], more = stores.reader.page(JobFilter(limit=1, before=before))
        listed.append(found.job_id)
        before = found.first_position

    assert listed == [*reversed(JOBS)]


def test_an_id_that_is_no_text_does_not_stop_the_others(sqlite: Deployment, clock: Clock) -> None:
    odd = [StoredEvent("odd", 1, "JobPainted", b"{}"), StoredEvent("even", 1, "JobPainted", b"{}")]
    sqlite.milepost.store.transact({}, [], lambda _: Append(odd))
    Database(sqlite).run(
        "UPDATE milepost_events SET originator_id = CAST('odd' AS BLOB) WHERE originator_id = 'odd'"
    )
    projector(sqlite).catch_up()
    lived(sqlite, clock)

    with running(projector(sqlite)):
        wait_until(lambda: sqlite.read_model.position() == sqlite.read_model.log.newest_position())

    assert_every_row_is_right(sqlite)
