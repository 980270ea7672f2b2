"""The instance, folded from facts."""

from __future__ import annotations

import msgspec
import pytest

from domain.job.events import (
    AttemptCancelled,
    AttemptStarted,
    Fact,
    HeartbeatReceived,
    JobQueued,
    JobTimedOut,
    MetadataReported,
    RollbackRequested,
    StatusReported,
    StepReported,
    StopRequested,
)
from domain.workflows.definition import Workflows
from projections.views.instance import Instance, evolve
from tests.support.jobs.strategies import minute, numbered
from tests.support.stores.deployment import NOON

QUEUED = JobQueued(
    recorded_at=NOON, agent_id="agent", user_id="ada", region="eu-west", workflow="vm@1"
)
PROVISIONING = StatusReported(recorded_at=minute(1), status="provisioning")
RUNNING = StatusReported(recorded_at=minute(8), status="running")
FAILED = StatusReported(recorded_at=minute(8), status="failed", error="boom")
STOP = StopRequested(recorded_at=minute(9))
RETRY = AttemptStarted(recorded_at=minute(10), number=2)


def step(name: str, at: int = 2) -> StepReported:
    return StepReported(recorded_at=minute(at), step=name)


def folded(*facts: Fact) -> Instance:
    instance = Instance("job")
    for event in numbered(list(facts)):
        instance = evolve(instance, event)
    return instance


def test_a_registration_names_agent_user_region_and_workflow() -> None:
    instance = folded(QUEUED)

    assert (instance.agent_id, instance.user_id) == ("agent", "ada")
    assert (instance.region, instance.workflow) == ("eu-west", "vm@1")
    assert (instance.status, instance.queued_at) == ("pending", NOON)


def test_a_second_registration_changes_nothing() -> None:
    other = msgspec.structs.replace(QUEUED, agent_id="other", recorded_at=minute(3))

    instance = folded(QUEUED, other)

    assert (instance.agent_id, instance.queued_at, instance.version) == ("agent", NOON, 2)


def test_a_registration_may_follow_the_first_callback() -> None:
    instance = folded(PROVISIONING, step("vm_created"), QUEUED)

    assert (instance.status, instance.agent_id) == ("provisioning", "agent")
    assert (instance.created_at, instance.first_position) == (minute(1), 10)


def test_every_fact_moves_version_position_and_time() -> None:
    """This holds also for a fact that changes nothing else."""
    facts: list[Fact] = [
        QUEUED,
        PROVISIONING,
        HeartbeatReceived(recorded_at=minute(2)),
        step("vm_created", 3),
        MetadataReported(recorded_at=minute(4), server_id="srv-1"),
        FAILED,
        JobTimedOut(recorded_at=minute(9), attempt=1, silent_since=NOON, error="Timeout"),
        RollbackRequested(recorded_at=minute(9), attempt=1),
        RETRY,
        AttemptStarted(recorded_at=minute(11), number=2),
        StopRequested(recorded_at=minute(12)),
        msgspec.structs.replace(QUEUED, recorded_at=minute(13)),
    ]

    for count in range(1, len(facts) + 1):
        instance = folded(*facts[:count])
        assert (instance.version, instance.position) == (count, count * 10)
        assert instance.updated_at == facts[count - 1].recorded_at
        assert (instance.first_position, instance.created_at) == (10, NOON)


@pytest.mark.parametrize(
    ("facts", "status"),
    [
        ((), "pending"),
        ((QUEUED,), "pending"),
        ((QUEUED, HeartbeatReceived(recorded_at=NOON)), "pending"),
        ((QUEUED, PROVISIONING), "provisioning"),
        ((QUEUED, step("vm_created")), "provisioning"),
        ((QUEUED, PROVISIONING, RUNNING), "running"),
        ((QUEUED, PROVISIONING, RUNNING, STOP), "stopping"),
        ((QUEUED, PROVISIONING, FAILED), "failed"),
        ((QUEUED, PROVISIONING, FAILED, STOP), "failed"),
        ((QUEUED, PROVISIONING, FAILED, RETRY), "pending"),
        ((QUEUED, PROVISIONING, FAILED, RETRY, PROVISIONING), "provisioning"),
    ],
)
def test_an_instance_has_the_status_that_people_know(facts: tuple[Fact, ...], status: str) -> None:
    assert folded(*facts).status == status


def test_the_current_step_is_the_furthest_one(workflows: Workflows) -> None:
    """Progress never runs backwards because a callback came late."""
    instance = folded(QUEUED, PROVISIONING, step("ansible_started"), step("vm_created", 3))

    assert instance.current_step(workflows) == "ansible_started"


def test_an_unknown_step_does_not_hide_a_known_one(workflows: Workflows) -> None:
    instance = folded(QUEUED, PROVISIONING, step("vm_created"), step("coffee_made", 3))

    assert instance.current_step(workflows) == "vm_created"


def test_of_unknown_steps_alone_the_latest_is_current(workflows: Workflows) -> None:
    instance = folded(QUEUED, PROVISIONING, step("tea_made", 3), step("coffee_made", 4))

    assert instance.current_step(workflows) == "coffee_made"


@pytest.mark.parametrize("end", [RUNNING, FAILED])
def test_the_end_clears_the_current_step(workflows: Workflows, end: Fact) -> None:
    instance = folded(QUEUED, PROVISIONING, step("vm_created"), end)

    assert instance.current_step(workflows) is None


def test_a_queued_instance_has_no_step(workflows: Workflows) -> None:
    assert folded(QUEUED).current_step(workflows) is None
    assert folded(QUEUED, PROVISIONING).current_step(workflows) is None


def test_the_step_that_a_failure_happened_at_is_still_known(workflows: Workflows) -> None:
    failure = msgspec.structs.replace(FAILED, step="provision", failed_step="configure_full")

    instance = folded(QUEUED, PROVISIONING, step("ansible_started"), step("vm_created"), failure)

    assert instance.failed_at_step(workflows) == "ansible_started"


def test_a_failure_at_a_step_that_the_workflow_does_not_know_has_none(workflows: Workflows) -> None:
    failure = msgspec.structs.replace(FAILED, step="provision", failed_step="configure_full")

    assert folded(QUEUED, PROVISIONING, failure).failed_at_step(workflows) is None


def test_the_failure_itself_may_name_a_known_step(workflows: Workflows) -> None:
    """A step that the attempt reached counts before the step that is named as failed."""
    named = msgspec.structs.replace(FAILED, step="vm_created", failed_step="ansible_complete")
    only_failed = msgspec.structs.replace(FAILED, failed_step="ansible_started")

    assert folded(QUEUED, named).failed_at_step(workflows) == "vm_created"
    assert folded(QUEUED, only_failed).failed_at_step(workflows) == "ansible_started"


def test_only_a_failed_instance_failed_at_a_step(workflows: Workflows) -> None:
    for facts in ((QUEUED,), (QUEUED, step("vm_created")), (QUEUED, step("vm_created"), RUNNING)):
        assert folded(*facts).failed_at_step(workflows) is None


def test_an_instance_knows_in_which_status_it_was_cancelled() -> None:
    cancelled = AttemptCancelled(recorded_at=minute(9), attempt=1)
    gone = JobTimedOut(recorded_at=minute(8), attempt=1, silent_since=NOON, error="Timeout")

    assert folded(QUEUED, cancelled).cancelled_while == "pending"
    assert folded(QUEUED, gone, cancelled).cancelled_while == "pending"
    assert folded(QUEUED, PROVISIONING, cancelled).cancelled_while == "provisioning"
    for facts in ((QUEUED,), (QUEUED, PROVISIONING, FAILED), (QUEUED, RUNNING)):
        assert folded(*facts).cancelled_while is None


def test_a_job_keeps_the_order_of_steps_that_it_ran_with(workflows: Workflows) -> None:
    verified = msgspec.structs.replace(QUEUED, workflow="vm-verified@1")

    instance = folded(verified, PROVISIONING, step("health_check_passed"), step("ansible_complete"))

    assert instance.current_step(workflows) == "health_check_passed"


def test_an_unregistered_job_is_shown_by_the_default_definition(workflows: Workflows) -> None:
    assert folded(step("coffee_made"), step("vm_created")).current_step(workflows) == "vm_created"


def test_a_new_attempt_starts_clean() -> None:
    instance = folded(
        QUEUED,
        PROVISIONING,
        step("vm_created"),
        FAILED,
        RollbackRequested(recorded_at=minute(9), attempt=1),
        STOP,
        RETRY,
    )

    assert (instance.attempt.number, instance.attempt.steps) == (2, {})
    attempt = instance.attempt
    assert (attempt.stop_requested_at, attempt.rollback_requested_at) == (None, None)
    assert instance.agent_id == "agent"


def test_an_attempt_that_has_started_does_not_start_again() -> None:
    known = (QUEUED, PROVISIONING, FAILED, RETRY, step("vm_created"))

    assert folded(*known, RETRY).attempt == folded(*known).attempt


def test_requests_are_dated() -> None:
    instance = folded(QUEUED, RUNNING, STOP, RollbackRequested(recorded_at=minute(11), attempt=1))

    assert instance.attempt.stop_requested_at == minute(9)
    assert instance.attempt.rollback_requested_at == minute(11)
