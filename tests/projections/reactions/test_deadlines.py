"""The watchdog, on every store."""

from __future__ import annotations

from datetime import timedelta

import pytest

from domain.errors import StoreUnavailable
from domain.job.callback import Callback
from domain.job.provisioning_job import SILENCE_LIMIT_SECONDS
from projections.chore import AT_ONCE, IDLE_SECONDS
from projections.reactions.deadlines import SLICE, Watchdog
from tests.support.deployment import Clock, Deployment


def provisioning(made: Deployment, job_id: str) -> None:
    made.milepost.record(Callback(job_id=job_id, status="provisioning"))


def heartbeat(made: Deployment, job_id: str) -> None:
    made.milepost.record(Callback(job_id=job_id, type="heartbeat"))


def status(made: Deployment, job_id: str) -> str:
    return made.milepost.find(job_id).attempt.status


@pytest.fixture
def watchdog(stores: Deployment, clock: Clock) -> Watchdog:
    return Watchdog(stores.milepost, stores.read_model, clock)


def test_exactly_the_jobs_that_are_due_time_out(
    stores: Deployment, watchdog: Watchdog, clock: Clock
) -> None:
    """More than 900 s after the last heartbeat, or after the claim where there is none."""
    for job_id in ("silent", "heard", "running", "failed"):
        provisioning(stores, job_id)
    heartbeat(stores, "queued")
    stores.milepost.record(Callback(job_id="running", status="running"))
    stores.milepost.record(Callback(job_id="failed", status="failed"))
    clock.advance(0.001)
    provisioning(stores, "at the limit")
    heartbeat(stores, "heard")
    clock.advance(900)
    stores.projector.catch_up()

    watchdog.step()

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
    stores: Deployment, watchdog: Watchdog, clock: Clock
) -> None:
    provisioning(stores, "job")
    stores.projector.catch_up()
    clock.advance(1234.5)

    watchdog.step()

    instance = stores.reader.instance("job")
    assert instance is not None
    assert instance.attempt.final is not None
    assert instance.attempt.final.error == "Timeout: No heartbeat for 1234s"
    assert instance.attempt.final.inferred


def test_a_row_that_lags_cannot_fail_a_job_that_is_alive(
    stores: Deployment, watchdog: Watchdog, clock: Clock
) -> None:
    """The row names it, the job's own events decide."""
    for job_id in ("alive", "ended"):
        provisioning(stores, job_id)
    stores.projector.catch_up()
    clock.advance(899)
    heartbeat(stores, "alive")
    stores.milepost.record(Callback(job_id="ended", status="running"))
    limit = clock.advance(2) - timedelta(seconds=SILENCE_LIMIT_SECONDS)

    assert set(stores.read_model.silent(limit)) == {"alive", "ended"}
    watchdog.step()

    assert (status(stores, "alive"), status(stores, "ended")) == ("provisioning", "running")
    assert stores.milepost.find("alive").version == 2


def test_a_job_times_out_once_although_its_row_lags(
    stores: Deployment, watchdog: Watchdog, clock: Clock
) -> None:
    provisioning(stores, "job")
    stores.projector.catch_up()
    clock.advance(901)

    watchdog.step()
    watchdog.step()

    assert stores.milepost.find("job").version == 2
    stores.projector.catch_up()
    watchdog.step()
    assert stores.milepost.find("job").version == 2


def test_a_retry_that_falls_silent_times_out_again(
    stores: Deployment, watchdog: Watchdog, clock: Clock
) -> None:
    for _ in range(2):
        provisioning(stores, "job")
        stores.projector.catch_up()
        clock.advance(901)
        watchdog.step()

    job = stores.milepost.find("job")
    assert (job.attempt.number, job.attempt.status) == (2, "failed")


def test_two_watchdogs_fail_a_job_once(databases: Deployment, clock: Clock) -> None:
    provisioning(databases, "job")
    databases.projector.catch_up()
    clock.advance(901)
    another = databases.again()

    Watchdog(databases.milepost, databases.read_model, clock).step()
    Watchdog(another.milepost, another.read_model, clock).step()

    assert another.milepost.find("job").version == 2
    another.close()


def test_nothing_times_out_soon_after_nobody_could_be_heard(
    stores: Deployment, watchdog: Watchdog, clock: Clock
) -> None:
    """While Milepost was away the heartbeats were lost: time for two of them."""
    provisioning(stores, "alive")
    provisioning(stores, "dead")
    stores.projector.catch_up()
    clock.advance(1200)

    watchdog.begin()
    watchdog.step()
    assert (status(stores, "alive"), status(stores, "dead")) == ("provisioning", "provisioning")
    clock.advance(60)
    heartbeat(stores, "alive")
    clock.advance(90)
    watchdog.step()

    assert (status(stores, "alive"), status(stores, "dead")) == ("provisioning", "failed")


def test_many_silent_jobs_are_judged_in_slices(memory: Deployment, clock: Clock) -> None:
    """So that projecting goes on between the slices."""
    jobs = [f"job-{number}" for number in range(2 * SLICE + 1)]
    for job_id in jobs:
        provisioning(memory, job_id)
    memory.projector.catch_up()
    clock.advance(901)
    watchdog = Watchdog(memory.milepost, memory.read_model, clock)

    def failed() -> int:
        return sum(status(memory, job_id) == "failed" for job_id in jobs)

    seen = [(watchdog.step(), failed()) for _ in range(3)]

    assert seen == [(AT_ONCE, SLICE), (AT_ONCE, 2 * SLICE), (IDLE_SECONDS, len(jobs))]


class Troubled:
    """A Milepost that cannot judge one of the jobs."""

    def __init__(self, made: Deployment, job_id: str, error: Exception) -> None:
        self._made, self._job_id, self._error = made, job_id, error

    def time_out(self, job_id: str) -> object:
        """Time out any other job."""
        if job_id == self._job_id:
            raise self._error
        return self._made.milepost.time_out(job_id)


def test_a_job_that_cannot_be_judged_keeps_no_other_from_it(
    memory: Deployment, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """The log says so once, however often the watchdog asks."""
    for job_id in ("first", "second", "third"):
        provisioning(memory, job_id)
        clock.advance(1)
    memory.projector.catch_up()
    clock.advance(901)
    troubled = Troubled(memory, "first", ZeroDivisionError("a bug"))
    watchdog = Watchdog(troubled, memory.read_model, clock)  # type: ignore[arg-type]

    watchdog.step()
    watchdog.step()

    assert [status(memory, job_id) for job_id in ("first", "second", "third")] == [
        "provisioning",
        "failed",
        "failed",
    ]
    logged = [each.getMessage() for each in caplog.records if each.name == "milepost.watchdog"]
    assert logged == ["job 'first' could not be timed out"]


def test_a_database_that_is_away_is_no_fault_of_the_job(memory: Deployment, clock: Clock) -> None:
    """The watchdog ends its slice with the error, and the caller lets it begin anew."""
    for job_id in ("first", "second"):
        provisioning(memory, job_id)
        clock.advance(1)
    memory.projector.catch_up()
    clock.advance(901)
    troubled = Troubled(memory, "first", StoreUnavailable("away"))
    watchdog = Watchdog(troubled, memory.read_model, clock)  # type: ignore[arg-type]

    with pytest.raises(StoreUnavailable):
        watchdog.step()

    assert status(memory, "second") == "provisioning"
