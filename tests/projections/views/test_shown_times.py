"""Times of one host whose clock is wrong, beside those of hosts whose clocks are right."""

from __future__ import annotations

from datetime import timedelta

import pytest

from domain.job.events import Fact, JobQueued, StatusReported, StepReported
from domain.workflows.definition import Workflows
from projections.views.instance import Instance, evolve
from projections.views.shown_times import reached, shown_claim, shown_end
from tests.support.jobs.strategies import minute, numbered
from tests.support.stores.deployment import NOON

QUEUED = JobQueued(recorded_at=NOON, agent_id="agent", workflow="vm@1")
AN_HOUR = (timedelta(hours=-1), timedelta(hours=1))
RIGHT = timedelta(0)


def provisioning(at: int, skew: timedelta) -> StatusReported:
    time = minute(at)
    return StatusReported(recorded_at=time, occurred_at=time + skew, status="provisioning")


def step(name: str, at: int, skew: timedelta) -> StepReported:
    return StepReported(recorded_at=minute(at), occurred_at=minute(at) + skew, step=name)


def failed(at: int, skew: timedelta) -> StatusReported:
    return StatusReported(recorded_at=minute(at), occurred_at=minute(at) + skew, status="failed")


def cancelled(at: int, skew: timedelta) -> StatusReported:
    time = minute(at)
    return StatusReported(recorded_at=time, occurred_at=time + skew, status="cancelled")


def folded(*facts: Fact) -> Instance:
    instance = Instance("job")
    for event in numbered([QUEUED, *facts]):
        instance = evolve(instance, event)
    return instance


@pytest.mark.parametrize("of_the_end", [RIGHT, *AN_HOUR])
@pytest.mark.parametrize("of_the_steps", [RIGHT, *AN_HOUR])
def test_a_failure_is_shown_at_the_step_that_was_reached_whatever_one_clock_says(
    of_the_steps: timedelta, of_the_end: timedelta, workflows: Workflows
) -> None:
    instance = folded(
        provisioning(1, RIGHT), step("ansible_started", 5, of_the_steps), failed(9, of_the_end)
    )

    assert instance.failed_at_step(workflows) == "ansible_started"
    assert set(reached(instance.attempt, instance.floor)) == {"ansible_started"}


@pytest.mark.parametrize("skew", AN_HOUR)
def test_an_end_of_a_wrong_clock_is_shown_when_it_was_recorded(skew: timedelta) -> None:
    instance = folded(provisioning(1, RIGHT), failed(9, skew))

    assert shown_claim(instance.attempt, instance.floor) == minute(1)
    assert shown_end(instance.attempt, instance.floor) == minute(9)


def test_a_claim_after_the_end_by_one_clock_is_not_shown() -> None:
    late = StatusReported(recorded_at=minute(3), occurred_at=minute(3), status="provisioning")
    end = StatusReported(recorded_at=minute(4), occurred_at=minute(2), status="failed")

    instance = folded(late, end)

    assert instance.attempt.claim is not None
    assert shown_claim(instance.attempt, instance.floor) is None


def test_a_cancellation_by_a_slow_clock_is_not_shown_as_one_of_a_pending_job() -> None:
    instance = folded(provisioning(1, RIGHT), cancelled(9, timedelta(hours=-1)))

    assert instance.cancelled_while == "provisioning"


@pytest.mark.parametrize("skew", AN_HOUR)
def test_clocks_that_are_wrong_alike_are_compared(skew: timedelta) -> None:
    late = StepReported(
        recorded_at=minute(8), occurred_at=minute(12) + skew, step="ansible_complete"
    )

    instance = folded(provisioning(1, skew), step("vm_created", 5, skew), late, failed(9, skew))

    assert set(reached(instance.attempt, instance.floor)) == {"vm_created"}


def test_a_time_shortly_before_the_registration_is_that_of_the_registration() -> None:
    instance = folded(failed(0, timedelta(seconds=-59)))

    assert shown_end(instance.attempt, instance.floor) == NOON
