"""`retry`: an operator opens the next attempt."""

from __future__ import annotations

import pytest

from domain.errors import NotPossible
from domain.job.events import (
    AttemptStarted,
)
from domain.job.provisioning_job import Outcome
from tests.support.jobs.histories import (
    FAILED,
    MACHINE,
    PROVISIONING,
    QUEUED,
    RUNNING,
    callback,
    job_after,
)
from tests.support.jobs.orders import order
from tests.support.jobs.strategies import minute


def test_a_retry_opens_an_attempt_that_waits_for_its_run() -> None:
    retried = order(job_after(QUEUED, PROVISIONING, MACHINE, FAILED), "retry")

    assert retried.facts == [
        AttemptStarted(
            recorded_at=minute(20), number=2, because="retry", requested_by="ops", reason="again"
        )
    ]
    attempt = retried.job.attempt
    assert (attempt.number, attempt.status, attempt.since) == (2, "queued", minute(20))
    assert (attempt.server_id, attempt.final, retried.job.in_progress) == (None, None, True)


@pytest.mark.parametrize("run_id", [None, "run-2"])
def test_the_next_run_fills_the_attempt_that_waits_for_it(run_id: str | None) -> None:
    retried = order(job_after(QUEUED, PROVISIONING, FAILED), "retry").job

    begun = retried.report(callback(status="provisioning", workflow_run_id=run_id), minute(21))

    assert (begun.job.attempt.number, begun.job.attempt.status) == (2, "provisioning")
    assert begun.job.runs.opened == 2


def test_a_retry_again_changes_nothing_while_the_attempt_waits() -> None:
    retried = order(job_after(QUEUED, PROVISIONING, FAILED), "retry").job

    assert order(retried, "retry", minute(40)) == Outcome(retried)


def test_a_waiting_retry_can_be_cancelled_and_tried_again() -> None:
    retried = order(job_after(QUEUED, PROVISIONING, FAILED), "retry").job
    cancelled = order(retried, "cancel").job

    assert cancelled.attempt.outcome == "cancelled"
    assert order(cancelled, "retry").job.attempt.number == 3


@pytest.mark.parametrize("allowed", [0, 1, 2])
def test_a_job_is_retried_as_often_as_its_workflow_allows(allowed: int) -> None:
    job = job_after(QUEUED, PROVISIONING, FAILED)
    for _ in range(allowed):
        job = order(order(job, "retry", max_retries=allowed).job, "fail").job

    with pytest.raises(NotPossible, match=f"its workflow allows {allowed}") as refused:
        order(job, "retry", max_retries=allowed)

    assert refused.value.possible == ()
    assert "Register another job instead." in str(refused.value)


def test_an_instance_that_was_stopped_can_be_retried() -> None:
    stopped = order(job_after(QUEUED, MACHINE, RUNNING), "stopped").job

    assert order(stopped, "retry").job.attempt.status == "queued"
