"""What operators may order about a job: fail, cancel, retry, and that its machine is gone."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.errors import NotPossible
from domain.job.callback import Callback
from domain.job.events import (
    AttemptCancelled,
    AttemptFailed,
    AttemptStarted,
    Fact,
    HeartbeatReceived,
    JobTimedOut,
    MachineStopped,
    MetadataReported,
    RollbackRequested,
    StatusReported,
    StopRequested,
)
from domain.job.orders import Ordered, possible
from domain.job.provisioning_job import Outcome, ProvisioningJob
from tests.support.deployment import NOON
from tests.support.histories import (
    FAILED,
    MACHINE,
    PROVISIONING,
    QUEUED,
    RUNNING,
    callback,
    job_after,
)
from tests.support.orders import COMMANDS, order, told
from tests.support.strategies import callbacks, minute, moments

TIMED_OUT = JobTimedOut(recorded_at=minute(16), attempt=1, silent_since=NOON, error="Timeout")
ROLLBACK = RollbackRequested(recorded_at=minute(16), attempt=1, server_id="srv-1")
STOPPING = StopRequested(recorded_at=minute(8), requested_by="ada")


# Ending


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


@pytest.mark.parametrize(
    ("command", "history", "sentence"),
    [
        (
            "fail",
            (QUEUED, PROVISIONING, RUNNING),
            "The job has ended already (running since 2026-03-02 12:05:00 UTC). "
            "Possible now: stop, stopped.",
        ),
        (
            "cancel",
            (QUEUED, PROVISIONING, RUNNING, STOPPING),
            "The job has ended already (stopping since 2026-03-02 12:08:00 UTC). "
            "Possible now: stopped.",
        ),
        (
            "cancel",
            (QUEUED, PROVISIONING, MACHINE, FAILED),
            "The job has ended already (failed at 2026-03-02 12:05:00 UTC). Possible now: retry.",
        ),
        (
            "retry",
            (QUEUED, PROVISIONING),
            "The job is in progress (provisioning since 2026-03-02 12:00:00 UTC). "
            "Possible now: fail, cancel.",
        ),
        (
            "retry",
            (QUEUED,),
            "The job is in progress (pending). Possible now: fail, cancel.",
        ),
        (
            "retry",
            (QUEUED, RUNNING),
            "The job has ended already (running since 2026-03-02 12:05:00 UTC). "
            "Possible now: stop, stopped.",
        ),
        (
            "stopped",
            (QUEUED, PROVISIONING, TIMED_OUT),
            "The job has ended already (timed out at 2026-03-02 12:16:00 UTC), and no machine of "
            "it is left. Possible now: fail, cancel, retry.",
        ),
    ],
)
def test_a_refusal_says_what_is_possible(
    command: Ordered, history: tuple[Fact, ...], sentence: str
) -> None:
    with pytest.raises(NotPossible) as refused:
        order(job_after(*history), command)

    assert str(refused.value) == sentence
    assert all(word in sentence for word in refused.value.possible)


# Retrying


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


# Confirming that a machine is gone


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
        "running). Say which one is gone (server_id)."
    )
    first = order(both, "stopped", server_id="srv-1")
    assert [fact.attempt for fact in first.facts if isinstance(fact, MachineStopped)] == [1]
    assert first.job.attempt.status == "running"
    assert order(first.job, "stopped", server_id="srv-1") == Outcome(first.job)


def test_a_machine_of_no_attempt_cannot_be_gone() -> None:
    with pytest.raises(NotPossible, match="'srv-9'"):
        order(job_after(QUEUED, MACHINE, RUNNING), "stopped", server_id="srv-9")


# Whatever happened


@settings(deadline=None, max_examples=300)
@given(
    st.lists(callbacks(st.none() | moments) | st.sampled_from([*COMMANDS, "time"]), max_size=12),
    st.sampled_from(COMMANDS),
    st.integers(0, 4),
)
def test_an_order_changes_the_job_exactly_if_it_is_possible(
    history: list[Callback | str], command: Ordered, allowed: int
) -> None:
    job = ProvisioningJob("job")
    for number, asked in enumerate(history):
        job = told(job, asked, NOON + number * timedelta(minutes=20), allowed)
    able = possible(job.runs, allowed)
    refusals = list[NotPossible]()
    try:
        outcome = order(job, command, max_retries=allowed)
    except NotPossible as refused:
        refusals, outcome = [refused], Outcome(job)

    if refusals:
        assert refusals[0].possible == able
        assert command not in able or "More than one machine" in str(refusals[0])
    else:
        assert bool(outcome.events) == (command in able)
        assert not order(outcome.job, command, max_retries=allowed).events
