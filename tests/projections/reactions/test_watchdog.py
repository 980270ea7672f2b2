"""The watchdog, on every store."""

from __future__ import annotations

import pytest

from domain.job.callback import Callback
from projections.reactions.watchdog import Watchdog
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

    assert watchdog.check() == 1

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

    watchdog.check()

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
    clock.advance(2)

    assert watchdog.check() == 2

    assert (status(stores, "alive"), status(stores, "ended")) == ("provisioning", "running")
    assert stores.milepost.find("alive").version == 2


def test_a_job_times_out_once_although_its_row_lags(
    stores: Deployment, watchdog: Watchdog, clock: Clock
) -> None:
    provisioning(stores, "job")
    stores.projector.catch_up()
    clock.advance(901)

    watchdog.check()
    watchdog.check()

    assert stores.milepost.find("job").version == 2
    stores.projector.catch_up()
    assert watchdog.check() == 0


def test_a_retry_that_falls_silent_times_out_again(
    stores: Deployment, watchdog: Watchdog, clock: Clock
) -> None:
    for _ in range(2):
        provisioning(stores, "job")
        stores.projector.catch_up()
        clock.advance(901)
        watchdog.check()

    job = stores.milepost.find("job")
    assert (job.attempt.number, job.attempt.status) == (2, "failed")


def test_two_watchdogs_fail_a_job_once(databases: Deployment, clock: Clock) -> None:
    provisioning(databases, "job")
    databases.projector.catch_up()
    clock.advance(901)
    another = databases.again()

    Watchdog(databases.milepost, databases.read_model, clock).check()
    Watchdog(another.milepost, another.read_model, clock).check()

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

    watchdog.be_patient()
    assert watchdog.check() == 0
    clock.advance(60)
    heartbeat(stores, "alive")
    clock.advance(90)
    watchdog.check()

    assert (status(stores, "alive"), status(stores, "dead")) == ("provisioning", "failed")
