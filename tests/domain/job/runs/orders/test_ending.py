"""`fail` and `cancel`: an operator ends an attempt."""

from __future__ import annotations

import pytest

from domain.job.events import (
    AttemptCancelled,
    AttemptFailed,
    Fact,
    RollbackRequested,
    StatusReported,
)
from domain.job.provisioning_job import Outcome
from domain.job.runs.orders import Ordered
from tests.support.jobs.histories import (
    FAILED,
    MACHINE,
    PROVISIONING,
    QUEUED,
    TIMED_OUT,
    callback,
    job_after,
)
from tests.support.jobs.orders import order
from tests.support.jobs.strategies import minute
from tests.support.stores.deployment import NOON


@pytest.mark.parametrize(
    ("command", "fact"), [("fail", AttemptFailed), ("cancel", AttemptCancelled)]
)
@pytest.mark.parametrize("history", [(QUEUED,), (QUEUED, PROVISIONING)])
def test_an_attempt_in_progress_is_ended(
    command: Ordered,
    fact: type[AttemptFailed | AttemptCancelled],
    history: tuple[Fact, ...],
) -> None:
    ended = order(job_after(*history), command)

    assert ended.facts == [
        fact(recorded_at=minute(20), attempt=1, requested_by="ops", reason="stuck")
    ]
    assert ended.job.attempt.status == "failed"
    assert ended.job.attempt.outcome == {"fail": "failed", "cancel": "cancelled"}[command]
    assert not ended.job.in_progress


@pytest.mark.parametrize("command", ["fail", "cancel"])
def test_the_machine_of_an_ended_attempt_has_to_be_removed(command: Ordered) -> None:
    ended = order(job_after(QUEUED, PROVISIONING, MACHINE), command)

    assert ended.facts[1:] == [
        RollbackRequested(
            recorded_at=minute(20), attempt=1, server_id="srv-1", server_ip="203.0.113.7"
        )
    ]


def test_a_machine_that_a_cancelled_run_names_later_joins_the_rollback() -> None:
    cancelled = order(job_after(QUEUED, PROVISIONING), "cancel").job

    late = cancelled.report(callback(status="provisioning", step="vm_created", server_id="s"), NOON)

    assert [type(fact) for fact in late.facts][1:] == [RollbackRequested]


@pytest.mark.parametrize("command", ["fail", "cancel"])
def test_a_timeout_that_an_operator_confirms_is_taken_back_by_nothing(command: Ordered) -> None:
    confirmed = order(job_after(QUEUED, PROVISIONING, TIMED_OUT), command).job

    heard = confirmed.report(callback(type="heartbeat"), minute(30)).job

    assert (
        job_after(QUEUED, PROVISIONING, TIMED_OUT)
        .report(callback(type="heartbeat"), minute(30))
        .job.in_progress
    )
    assert not heard.in_progress


@pytest.mark.parametrize("command", ["fail", "cancel"])
def test_the_same_order_again_changes_nothing(command: Ordered) -> None:
    ended = order(job_after(QUEUED, PROVISIONING, MACHINE), command).job

    assert order(ended, command, minute(40)) == Outcome(ended)


def test_a_job_that_failed_by_itself_need_not_be_failed() -> None:
    assert order(job_after(QUEUED, PROVISIONING, FAILED), "fail").facts == []


def test_a_job_that_its_workflow_cancelled_need_not_be_cancelled() -> None:
    cancelled = StatusReported(recorded_at=minute(5), status="cancelled")

    assert order(job_after(QUEUED, PROVISIONING, cancelled), "cancel").facts == []
