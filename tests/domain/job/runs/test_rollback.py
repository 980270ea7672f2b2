"""Which machines a failed job asks to be removed."""

from __future__ import annotations

from datetime import timedelta

from domain.job.callback import Callback
from domain.job.events import (
    Fact,
    RollbackRequested,
    RollbackWithdrawn,
    StatusReported,
)
from domain.job.provisioning_job import ProvisioningJob
from tests.support.jobs.histories import (
    FAILED,
    MACHINE,
    PROVISIONING,
    callback,
    job_after,
)
from tests.support.jobs.strategies import minute
from tests.support.stores.deployment import NOON

LIVE = {"server_id": "srv-live", "server_ip": "203.0.113.7", "tailscale_ip": "100.64.0.7"}


def run(**said: object) -> Callback:
    return Callback(job_id="job", **said)  # type: ignore[arg-type]


def played(*callbacks: Callback) -> tuple[ProvisioningJob, list[Fact]]:
    job, facts = ProvisioningJob("job"), list[Fact]()
    for word in callbacks:
        outcome = job.report(word, NOON)
        job, facts = outcome.job, facts + outcome.facts
    return job, facts


def test_a_failure_asks_for_a_rollback_of_the_machine() -> None:
    outcome = job_after(PROVISIONING, MACHINE).report(callback(status="failed"), minute(5))

    assert outcome.facts == [
        StatusReported(recorded_at=minute(5), status="failed"),
        RollbackRequested(
            recorded_at=minute(5), attempt=1, server_id="srv-1", server_ip="203.0.113.7"
        ),
    ]


def test_a_failure_that_names_the_machine_itself_asks_for_its_rollback() -> None:
    *_, last = job_after().report(callback(status="failed", server_id="srv-1"), minute(5)).facts

    assert last == RollbackRequested(recorded_at=minute(5), attempt=1, server_id="srv-1")


def test_a_failure_without_a_machine_asks_for_no_rollback() -> None:
    assert job_after(PROVISIONING).report(callback(status="failed"), minute(5)).facts == [
        StatusReported(recorded_at=minute(5), status="failed")
    ]


def test_a_timeout_asks_for_a_rollback_too() -> None:
    *_, last = job_after(PROVISIONING, MACHINE).time_out(minute(16)).facts

    assert isinstance(last, RollbackRequested)


def test_a_machine_that_becomes_known_after_the_failure_is_wanted_rolled_back() -> None:
    late = callback(status="provisioning", step="vm_created", server_id="srv-1")

    *_, last = job_after(PROVISIONING, FAILED).report(late, minute(6)).facts

    assert last == RollbackRequested(recorded_at=minute(6), attempt=1, server_id="srv-1")


def test_a_rollback_is_requested_once() -> None:
    history: list[Fact] = [PROVISIONING, MACHINE]
    for word in (
        callback(status="failed"),
        callback(status="failed"),
        callback(status="provisioning", step="vm_created", server_id="srv-2"),
        callback(type="heartbeat"),
    ):
        history += job_after(*history).report(word, minute(6)).facts

    assert sum(isinstance(fact, RollbackRequested) for fact in history) == 1


def test_every_attempt_may_request_its_own_rollback() -> None:
    history: list[Fact] = []
    for word in (
        callback(status="provisioning"),
        callback(status="failed", server_id="srv-1"),
        callback(status="provisioning"),
        callback(status="failed", server_id="srv-2"),
    ):
        history += job_after(*history).report(word, minute(6)).facts

    wanted = [fact for fact in history if isinstance(fact, RollbackRequested)]
    assert [(fact.attempt, fact.server_id) for fact in wanted] == [(1, "srv-1"), (2, "srv-2")]


def test_a_running_job_wants_no_rollback() -> None:
    whole = callback(
        status="running", server_id="srv-1", server_ip="203.0.113.7", tailscale_ip="100.64.0.7"
    )

    reported = job_after(PROVISIONING).report(whole, minute(5)).facts

    assert not any(isinstance(fact, RollbackRequested) for fact in reported)


def test_a_job_that_runs_after_all_wants_no_rollback() -> None:
    """The real final status wins over our inference before the rollback is decided."""
    timed_out = job_after(PROVISIONING).time_out(minute(16)).facts
    whole = callback(
        status="running", server_id="srv-1", server_ip="203.0.113.7", tailscale_ip="100.64.0.7"
    )

    job = job_after(PROVISIONING, *timed_out)

    reported = job.report(whole, minute(17)).facts
    assert not any(isinstance(fact, RollbackRequested) for fact in reported)


def test_another_run_after_a_failure_is_a_retry_though_the_first_never_announced_itself() -> None:
    """Its first callback was refused while the database was away, so the workflow failed."""
    job, facts = played(
        run(status="failed", workflow_run_id="1", error="curl: (22) 503"),
        run(status="provisioning", workflow_run_id="2"),
        run(status="running", workflow_run_id="2", **LIVE),
    )

    assert (job.attempt.number, job.attempt.status) == (2, "running")
    assert not [fact for fact in facts if isinstance(fact, RollbackRequested)]


def test_a_machine_that_says_it_runs_is_not_rolled_back_whatever_became_of_the_attempt() -> None:
    job, facts = played(run(status="failed"), run(status="running", **LIVE))

    assert job.attempt.status == "running"
    assert not [fact for fact in facts if isinstance(fact, RollbackRequested)]


def test_a_rollback_after_a_timeout_is_withdrawn_when_the_machine_turns_out_to_run() -> None:
    job, _ = played(run(status="provisioning", step="vm_created", server_id="srv-1"))
    job = job.time_out(NOON + timedelta(seconds=901)).job
    assert job.attempt.rollback_requested_at

    facts = job.report(run(status="running"), NOON + timedelta(seconds=902)).facts

    assert isinstance(facts[-1], RollbackWithdrawn)
