"""The watch over deadlines, on every store."""

from __future__ import annotations

import logging

import pytest

from domain.errors import StoreUnavailable
from domain.job.callback import Callback
from domain.job.deadlines import Question
from projections.chore import AT_ONCE, IDLE_SECONDS
from projections.reactions.deadlines import SLICE
from tests.support.projectors.watching import (
    AlwaysThere,
    attentive,
    heartbeat,
    queue,
    status,
    watch_over,
)
from tests.support.stores.deployment import Clock, Deployment


def provisioning(made: Deployment, job_id: str) -> None:
    made.milepost.record(Callback(job_id=job_id, status="provisioning"))


@pytest.fixture
def watch(stores: Deployment) -> AlwaysThere:
    return AlwaysThere(stores)


def test_exactly_the_jobs_that_are_due_time_out(
    stores: Deployment, watch: AlwaysThere, clock: Clock
) -> None:
    """More than 900 s after the last heartbeat, or after the claim where there is none."""
    for job_id in ("silent", "heard", "running", "failed"):
        provisioning(stores, job_id)
    queue(stores, "queued")
    stores.milepost.record(Callback(job_id="running", status="running"))
    stores.milepost.record(Callback(job_id="failed", status="failed"))
    clock.advance(0.001)
    provisioning(stores, "at the limit")
    heartbeat(stores, "heard")
    clock.advance(900)
    stores.projector.catch_up()

    watch.step()

    assert status(stores, "silent") == "failed"
    for job_id, stands in (
        ("at the limit", "provisioning"),
        ("heard", "provisioning"),
        ("queued", "queued"),
        ("running", "running"),
    ):
        assert status(stores, job_id) == stands
    assert stores.milepost.find("failed").version == 2


def test_a_job_that_timed_out_says_for_how_long_it_was_silent(
    stores: Deployment, watch: AlwaysThere, clock: Clock
) -> None:
    provisioning(stores, "job")
    stores.projector.catch_up()
    clock.advance(1234.5)

    watch.step()

    instance = stores.reader.instance("job")
    assert instance is not None
    assert instance.attempt.final is not None
    assert instance.attempt.final.error == "Timeout: No heartbeat for 1234s"
    assert instance.attempt.final.inferred


def test_a_row_that_lags_cannot_fail_a_job_that_is_alive(
    stores: Deployment, watch: AlwaysThere, clock: Clock
) -> None:
    """The row names it, the job's own events decide."""
    for job_id in ("alive", "ended"):
        provisioning(stores, job_id)
    stores.projector.catch_up()
    clock.advance(899)
    heartbeat(stores, "alive")
    stores.milepost.record(Callback(job_id="ended", status="running"))
    now = clock.advance(2)

    assert {row.job_id for row in stores.read_model.due(now, None, 9)} == {"alive", "ended"}
    watch.step()

    assert (status(stores, "alive"), status(stores, "ended")) == ("provisioning", "running")
    assert stores.milepost.find("alive").version == 2


def test_a_job_times_out_once_although_its_row_lags(
    stores: Deployment, watch: AlwaysThere, clock: Clock
) -> None:
    provisioning(stores, "job")
    stores.projector.catch_up()
    clock.advance(901)

    watch.step()
    watch.step()

    assert stores.milepost.find("job").version == 2
    stores.projector.catch_up()
    watch.step()
    assert stores.milepost.find("job").version == 2


def test_a_retry_that_falls_silent_times_out_again(
    stores: Deployment, watch: AlwaysThere, clock: Clock
) -> None:
    for _ in range(2):
        provisioning(stores, "job")
        stores.projector.catch_up()
        clock.advance(901)
        watch.step()

    job = stores.milepost.find("job")
    assert (job.attempt.number, job.attempt.status) == (2, "failed")


def test_a_job_whose_workflow_never_comes_is_given_up_after_an_hour(
    stores: Deployment, watch: AlwaysThere, clock: Clock
) -> None:
    queue(stores, "pending")
    stores.projector.catch_up()
    clock.advance(3600)
    watch.step()
    assert status(stores, "pending") == "queued"

    clock.advance(1)
    watch.step()

    assert status(stores, "pending") == "failed"


def test_a_job_of_which_only_heartbeats_came_is_given_up_when_they_end(
    stores: Deployment, watch: AlwaysThere, clock: Clock
) -> None:
    """The first callback of its workflow got lost."""
    queue(stores, "job")
    for _ in range(70):
        clock.advance(60)
        heartbeat(stores, "job")
        stores.projector.catch_up()
        watch.step()
    assert status(stores, "job") == "provisioning"

    clock.advance(901)
    watch.step()

    assert status(stores, "job") == "failed"


def test_a_job_that_nobody_registered_and_of_which_only_heartbeats_came_ends_too(
    stores: Deployment, watch: AlwaysThere, clock: Clock
) -> None:
    heartbeat(stores, "stray")
    stores.projector.catch_up()
    clock.advance(901)

    watch.step()

    assert status(stores, "stray") == "failed"


def test_jobs_that_are_due_and_cannot_be_judged_do_not_keep_the_others_waiting(
    memory: Deployment, clock: Clock
) -> None:
    """A round goes on after the jobs of the last slice, whatever became of them."""
    watch_over(memory)
    jobs = [f"job-{number:03}" for number in range(SLICE + 1)]
    for job_id in jobs:
        queue(memory, job_id)
    memory.projector.catch_up()
    clock.advance(1)
    for job_id in jobs[:-1]:
        heartbeat(memory, job_id)
    clock.advance(3600)
    watch = attentive(memory, Troubled(memory, jobs[0], ZeroDivisionError("a bug")))

    assert watch.step() == AT_ONCE
    watch.step()

    assert status(memory, jobs[-1]) == "failed"
    assert status(memory, jobs[0]) == "provisioning"


def test_two_watches_fail_a_job_once(databases: Deployment, clock: Clock) -> None:
    provisioning(databases, "job")
    databases.projector.catch_up()
    clock.advance(901)
    another = databases.again()

    attentive(databases).step()
    attentive(another).step()

    assert another.milepost.find("job").version == 2
    another.close()


def test_many_silent_jobs_are_judged_in_slices(memory: Deployment, clock: Clock) -> None:
    """So that projecting goes on between the slices."""
    watch_over(memory)
    jobs = [f"job-{number}" for number in range(2 * SLICE + 1)]
    for job_id in jobs:
        queue(memory, job_id)
    memory.projector.catch_up()
    clock.advance(3601)
    watch = attentive(memory)

    def failed() -> int:
        return sum(status(memory, job_id) == "failed" for job_id in jobs)

    seen = [(watch.step(), failed()) for _ in range(3)]

    assert seen == [(AT_ONCE, SLICE), (AT_ONCE, 2 * SLICE), (IDLE_SECONDS, len(jobs))]


class Troubled:
    """A Milepost that cannot judge one of the jobs."""

    def __init__(self, made: Deployment, job_id: str, error: Exception) -> None:
        self._made, self._job_id, self._error = made, job_id, error

    def time_out(self, job_id: str, question: Question) -> object:
        """Time out any other job."""
        if job_id == self._job_id:
            raise self._error
        return self._made.milepost.time_out(job_id, question)

    def __getattr__(self, name: str) -> object:
        return getattr(self._made.milepost, name)


def test_a_job_that_cannot_be_judged_keeps_no_other_from_it(
    memory: Deployment, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """The log says so once, however often the watch asks."""
    for job_id in ("first", "second", "third"):
        provisioning(memory, job_id)
        clock.advance(1)
    memory.projector.catch_up()
    clock.advance(901)
    troubled = Troubled(memory, "first", ZeroDivisionError("a bug"))
    watch = attentive(memory, troubled)

    watch.step()
    watch.step()

    assert [status(memory, job_id) for job_id in ("first", "second", "third")] == [
        "provisioning",
        "failed",
        "failed",
    ]
    logged = [each.getMessage() for each in caplog.records if each.name == "milepost.deadlines"]
    assert logged == ["job 'first' could not be timed out"]


def test_the_first_look_of_a_new_store_is_no_warning(
    memory: Deployment, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """Who has just started Milepost for the first time has nothing to look after."""
    caplog.set_level(logging.INFO, "milepost.deadlines")
    watch = watch_over(memory)

    watch.step()
    clock.advance(3600)
    watch.step()

    said = [each for each in caplog.records if each.name == "milepost.deadlines"]
    assert [each.levelno for each in said] == [logging.INFO, logging.WARNING]
    assert said[0].getMessage() == "no job is given up for 150 s: this is the first look"


def test_a_database_that_is_away_is_no_fault_of_the_job(memory: Deployment, clock: Clock) -> None:
    """The watch ends its slice with the error, and the caller lets it begin anew."""
    for job_id in ("first", "second"):
        provisioning(memory, job_id)
        clock.advance(1)
    memory.projector.catch_up()
    clock.advance(901)
    troubled = Troubled(memory, "first", StoreUnavailable("away"))
    watch = attentive(memory, troubled)

    with pytest.raises(StoreUnavailable):
        watch.step()

    assert status(memory, "second") == "provisioning"
