"""Which attempt a callback belongs to, and what opens the next one."""

from __future__ import annotations

import msgspec

from domain.job.callback import Callback
from domain.job.events import (
    AttemptStarted,
    JobEvent,
)
from domain.job.provisioning_job import ProvisioningJob
from domain.job.provisioning_job import evolve as evolve_job
from tests.support.jobs.histories import TIMED_OUT
from tests.support.jobs.strategies import minute


def told(*callbacks: Callback, job: ProvisioningJob | None = None) -> ProvisioningJob:
    """Return the job after these callbacks, which arrive a minute apart, half an hour late."""
    job = job or ProvisioningJob("job")
    for callback in callbacks:
        job = job.report(callback, minute(30 + job.version)).job
    return job


def provisioning(**said: object) -> Callback:
    return msgspec.convert({"job_id": "job", "status": "provisioning", **said}, Callback)


def failed(**said: object) -> Callback:
    return msgspec.convert({"job_id": "job", "status": "failed", "error": "boom", **said}, Callback)


def test_a_timeout_of_another_attempt_changes_nothing() -> None:
    job = told(provisioning())
    other = JobEvent("job", 2, msgspec.structs.replace(TIMED_OUT, attempt=2))

    assert evolve_job(job, other).runs == job.runs


def test_provisioning_after_a_failure_opens_the_next_attempt() -> None:
    job = told(provisioning(workflow_run_id="1"), failed(), provisioning(workflow_run_id="2"))

    assert job.attempt.number == 2
    assert job.attempt.status == "provisioning"
    assert job.attempt.run_id is not None
    assert job.attempt.run_id.value == "2"


def test_provisioning_after_a_timeout_opens_the_next_attempt() -> None:
    job = told(provisioning())
    job = job.time_out(minute(60)).job

    assert told(provisioning(), job=job).attempt.number == 2


def test_provisioning_after_running_opens_nothing() -> None:
    running = Callback(job_id="job", status="running")

    job = told(provisioning(), running, provisioning())

    assert (job.attempt.number, job.attempt.status) == (1, "running")


def test_provisioning_after_a_failure_is_a_retry_although_the_first_one_was_lost() -> None:
    """One lost message must not decide what all later ones mean."""
    job = told(provisioning(step="vm_created"), failed(), provisioning())

    assert (job.attempt.number, job.attempt.status) == (2, "provisioning")


def test_provisioning_that_happened_before_the_failure_opens_nothing() -> None:
    """The senders' clocks tell a repeated one from a retry."""
    first = provisioning(occurred_at="2026-03-02T12:00:00Z")
    failure = failed(occurred_at="2026-03-02T12:05:00Z")

    assert told(first, failure, first).attempt.number == 1
    same_time = provisioning(occurred_at="2026-03-02T12:05:00Z")
    assert told(first, failure, same_time).attempt.number == 1
    after = provisioning(occurred_at="2026-03-02T12:05:01Z")
    assert told(first, failure, after).attempt.number == 2


def test_a_retry_is_told_from_a_late_first_one_by_the_clocks_alone() -> None:
    """Also when the attempt's first callback never arrived."""
    failure = failed(occurred_at="2026-03-02T12:05:00Z")

    assert told(failure, provisioning(occurred_at="2026-03-02T12:06:00Z")).attempt.number == 2
    assert told(failure, provisioning(occurred_at="2026-03-02T12:04:00Z")).attempt.number == 1


def test_the_first_provisioning_repeated_after_a_timeout_opens_nothing() -> None:
    """It happened when the attempt was claimed, so it is no retry."""
    first = provisioning(occurred_at="2026-03-02T12:00:00Z")
    job = told(first)
    job = job.time_out(minute(60)).job

    assert told(first, job=job).attempt.number == 1


def test_the_first_provisioning_repeated_after_a_failure_without_a_time_opens_nothing() -> None:
    """It happened when the attempt was claimed, so it is no retry."""
    first = provisioning(occurred_at="2026-03-02T12:00:00Z")

    assert told(first, failed(), first).attempt.number == 1


def test_a_new_attempt_begins_with_nothing_but_its_run() -> None:
    job = told(
        provisioning(workflow_run_id="1"),
        provisioning(step="vm_created", server_id="srv-1"),
        failed(),
    )

    opened = evolve_job(
        job,
        JobEvent("job", 4, AttemptStarted(recorded_at=minute(4), number=2, workflow_run_id="2")),
    ).attempt

    assert opened.status == "queued"
    assert (opened.steps, opened.server_id, opened.earlier_run_ids) == ({}, None, ("1",))


LATE_WORDS = [
    {"type": "heartbeat"},
    {"status": "provisioning", "step": "ansible_complete", "server_id": "old"},
    {"status": "failed", "error": "of the first run"},
    {"status": "running"},
]


WITH_MACHINE = {
    "status": "running",
    "server_id": "old",
    "server_ip": "10.0.0.1",
    "tailscale_ip": "100.0.0.1",
}


def late(word: dict[str, str], **said: object) -> Callback:
    return msgspec.convert({"job_id": "job", **word, **said}, Callback)


def test_late_callbacks_of_an_earlier_run_leave_the_present_attempt_alone() -> None:
    job = told(provisioning(workflow_run_id="1"), failed(), provisioning(workflow_run_id="2"))

    for word in LATE_WORDS:
        assert told(late(word, workflow_run_id="1"), job=job).attempt == job.attempt


def test_late_callbacks_of_the_run_before_the_previous_one_leave_the_present_attempt_alone() -> (
    None
):
    """Every earlier run is known by its id, not only the last one."""
    job = told(
        provisioning(workflow_run_id="1"),
        failed(workflow_run_id="1"),
        provisioning(workflow_run_id="2"),
        failed(workflow_run_id="2"),
        provisioning(workflow_run_id="3"),
    )
    assert job.attempt.number == 3

    for word in LATE_WORDS:
        assert told(late(word, workflow_run_id="1"), job=job).attempt == job.attempt


def test_late_callbacks_from_before_the_retry_leave_the_present_attempt_alone() -> None:
    job = told(
        provisioning(occurred_at="2026-03-02T12:00:00Z"),
        failed(occurred_at="2026-03-02T12:05:00Z"),
        provisioning(occurred_at="2026-03-02T12:10:00Z"),
    )

    for word in LATE_WORDS[:-1]:
        callback = late(word, occurred_at="2026-03-02T12:04:00Z")
        assert told(callback, job=job).attempt == job.attempt


def test_an_earlier_run_that_ended_well_after_all_is_shown() -> None:
    """Its machine runs, whatever the run after it comes to."""
    job = told(
        provisioning(workflow_run_id="1"),
        failed(workflow_run_id="1"),
        provisioning(workflow_run_id="2"),
    )

    shown = told(late(WITH_MACHINE, workflow_run_id="1"), job=job).attempt

    assert (shown.status, shown.run_id and shown.run_id.value) == ("running", "1")


def test_a_rerun_under_the_same_run_id_hears_its_run_whatever_the_clocks_say() -> None:
    """GitHub keeps a run's id over a re-run, and the machine's clock may be slow."""
    job = told(
        provisioning(workflow_run_id="1", occurred_at="2026-03-02T12:00:00Z"),
        failed(workflow_run_id="1", occurred_at="2026-03-02T12:05:00Z"),
        provisioning(workflow_run_id="1", occurred_at="2026-03-02T12:10:00Z"),
    )
    assert job.attempt.number == 2

    slow = provisioning(step="vm_created", workflow_run_id="1", occurred_at="2026-03-02T12:04:00Z")
    after = told(slow, job=job).attempt

    assert (after.number, set(after.steps)) == (2, {"vm_created"})


def test_callbacks_of_the_present_run_go_to_the_present_attempt() -> None:
    job = told(provisioning(workflow_run_id="1"), failed(), provisioning(workflow_run_id="2"))

    after = told(provisioning(step="vm_created", workflow_run_id="2"), job=job).attempt

    assert set(after.steps) == {"vm_created"}


def test_a_rerun_under_the_same_run_id_hears_its_own_callbacks() -> None:
    job = told(provisioning(workflow_run_id="1"), failed(), provisioning(workflow_run_id="1"))

    after = told(provisioning(step="vm_created", workflow_run_id="1"), job=job).attempt

    assert (after.number, set(after.steps)) == (2, {"vm_created"})
