"""`stopped`: an operator confirms that a machine is gone."""

from __future__ import annotations

import pytest

from domain.errors import NotPossible
from domain.job.events import (
    AttemptStarted,
    HeartbeatReceived,
    MachineStopped,
    MetadataReported,
    StatusReported,
)
from domain.job.provisioning_job import Outcome
from domain.job.runs.orders import possible
from tests.support.jobs.histories import (
    FAILED,
    MACHINE,
    PROVISIONING,
    QUEUED,
    ROLLBACK,
    RUNNING,
    STOPPING,
    TIMED_OUT,
    callback,
    job_after,
)
from tests.support.jobs.orders import order
from tests.support.jobs.strategies import minute


def test_a_stopping_instance_is_stopped_once_that_is_confirmed() -> None:
    stopped = order(job_after(QUEUED, MACHINE, RUNNING, STOPPING), "stopped")

    assert stopped.facts == [
        MachineStopped(recorded_at=minute(20), attempt=1, requested_by="ops", reason="seen")
    ]
    assert (stopped.job.attempt.status, stopped.job.attempt.outcome) == ("stopped", "stopped")
    assert order(stopped.job, "stopped") == Outcome(stopped.job)


def test_a_rollback_is_done_once_the_machine_is_gone_and_nothing_takes_that_back() -> None:
    left = job_after(QUEUED, PROVISIONING, MACHINE, FAILED, ROLLBACK)
    done = order(left, "stopped").job

    late = done.report(
        callback(status="running", server_id="srv-1", server_ip="i", tailscale_ip="t"), minute(30)
    ).job

    assert "stopped" not in possible(done.runs, 3)
    first = late.runs.find(1)
    assert first
    assert (first.stopped_at, first.status) == (minute(20), "failed")
    assert first.rollback_requested_at is not None


def test_a_timeout_is_not_taken_back_once_the_machine_is_gone() -> None:
    left = job_after(QUEUED, PROVISIONING, MACHINE, TIMED_OUT, ROLLBACK)
    done = order(left, "stopped").job

    heard = done.report(callback(type="heartbeat"), minute(30))

    assert [type(fact) for fact in heard.facts] == [HeartbeatReceived]
    assert heard.job.attempt.outcome == "timed_out"


SECOND = (
    AttemptStarted(recorded_at=minute(20), number=2, because="retry"),
    MetadataReported(recorded_at=minute(21), attempt=2, server_id="srv-2"),
    StatusReported(recorded_at=minute(22), attempt=2, status="running"),
)


def test_of_several_machines_the_operator_has_to_name_one() -> None:
    both = job_after(QUEUED, PROVISIONING, MACHINE, FAILED, ROLLBACK, *SECOND)

    with pytest.raises(NotPossible) as refused:
        order(both, "stopped")

    assert str(refused.value) == (
        "More than one machine may be meant: 'srv-1' (attempt 1, failed), 'srv-2' (attempt 2, "
        "running). Name the one that is gone."
    )
    first = order(both, "stopped", server_id="srv-1")
    assert [fact.attempt for fact in first.facts if isinstance(fact, MachineStopped)] == [1]
    assert first.job.attempt.status == "running"
    assert order(first.job, "stopped", server_id="srv-1") == Outcome(first.job)


def test_a_machine_of_no_attempt_cannot_be_gone() -> None:
    with pytest.raises(NotPossible, match="'srv-9'"):
        order(job_after(QUEUED, MACHINE, RUNNING), "stopped", server_id="srv-9")
