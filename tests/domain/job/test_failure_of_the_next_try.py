"""A re-run keeps the run id, its first words name no run, and its failure names it again."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from domain.job.callback import Callback
from domain.job.provisioning_job import ProvisioningJob
from tests.support.deployment import NOON


def told(*words: dict[str, Any]) -> ProvisioningJob:
    """Return a job after these callbacks, which come one a minute; `at` is a sender's minute."""
    job, now = ProvisioningJob("job"), NOON
    for word in words:
        if word == SILENCE:
            now += timedelta(minutes=16)
            job = job.time_out(now).job
            continue
        now += timedelta(minutes=1)
        said = dict(word)
        if "at" in said:
            said["occurred_at"] = NOON + timedelta(minutes=said.pop("at"))
        job = job.report(Callback(job_id="job", **said), now).job
    return job


SILENCE: dict[str, Any] = {}
STEP: dict[str, Any] = {"status": "provisioning", "step": "vm_created"}
FIRST: dict[str, Any] = {"status": "failed", "workflow_run_id": "7", "error": "first"}
SECOND: dict[str, Any] = {"status": "failed", "workflow_run_id": "7", "error": "second"}


def test_the_failure_ends_the_attempt_that_the_re_runs_steps_opened() -> None:
    job = told(STEP, FIRST, STEP | {"server_id": "srv-2"}, SECOND)

    assert job.attempt.number == 2
    assert job.attempt.final is not None
    assert job.attempt.final.error == "second"


def test_the_first_failure_again_does_not_end_the_next_try() -> None:
    job = told(STEP, FIRST, STEP, FIRST)

    assert job.attempt.number == 2
    assert job.attempt.final is None


def test_a_later_clock_tells_an_equal_failure_of_the_next_try() -> None:
    job = told(STEP | {"at": 0}, FIRST | {"at": 1}, STEP | {"at": 2}, FIRST | {"at": 3})

    assert job.attempt.number == 2
    assert job.attempt.final is not None


def test_an_earlier_clock_tells_another_failure_of_the_first_try() -> None:
    job = told(STEP | {"at": 0}, FIRST | {"at": 1}, STEP | {"at": 3}, SECOND | {"at": 1})

    assert job.attempt.number == 2
    assert job.attempt.final is None


def test_the_failure_takes_the_place_of_the_timeout_of_the_re_runs_steps() -> None:
    job = told(STEP, FIRST, STEP, SILENCE, SECOND)

    assert job.attempt.number == 2
    assert job.attempt.final is not None
    assert job.attempt.final.error == "second"


def test_the_failure_of_a_run_takes_the_place_of_the_timeout_of_steps_without_a_run() -> None:
    job = told(STEP, SILENCE, FIRST)

    assert job.attempt.number == 1
    assert job.attempt.final is not None
    assert job.attempt.final.error == "first"


def test_the_failure_of_another_run_leaves_the_timeout_of_a_run_that_is_named() -> None:
    job = told(STEP | {"workflow_run_id": "6"}, SILENCE, FIRST)

    assert job.attempt.number == 1
    assert job.attempt.final is not None
    assert job.attempt.final.inferred
