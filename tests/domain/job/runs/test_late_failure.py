"""A failure that comes late is not the failure of what goes on."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.support.jobs.stories import Story
from tests.support.jobs.strategies import minute
from tests.support.stores.deployment import NOON

STEP: dict[str, Any] = {"status": "provisioning", "step": "vm_created"}


def test_a_failure_without_a_run_does_not_end_a_run_that_worked_after_it() -> None:
    """The workflow failed before its first callback; that failure came after the re-run's words."""
    told = Story(NOON + timedelta(hours=1))
    told.hear(**STEP, server_id="srv-1", workflow_run_id="7", run_attempt=2, at=10)
    told.hear(status="failed", at=5)
    told.hear(status="running", server_id="srv-1", workflow_run_id="7", run_attempt=2, at=15)

    assert told.job.attempt.status == "running"
    assert told.rolled_back == []


def test_a_failure_without_a_run_ends_the_run_if_it_is_the_later_word() -> None:
    told = Story(NOON + timedelta(hours=1))
    told.hear(**STEP, workflow_run_id="7", at=10)
    told.hear(status="failed", at=12)

    assert told.job.attempt.status == "failed"


def test_a_machine_from_before_the_failure_is_not_that_of_the_next_try() -> None:
    """No callback names its run; the first try's failure comes after the second's first word."""
    told = Story(NOON + timedelta(hours=1))
    told.hear(status="provisioning", at=20)
    told.hear(**STEP, server_id="srv-1", at=14)
    told.hear(status="failed", server_id="srv-1", at=19)

    assert told.job.attempt.status == "provisioning"
    assert told.job.attempt.server_id is None
    assert told.job.attempt.steps == {}
    assert told.rolled_back == ["srv-1"]


def test_a_machine_from_after_the_failure_stays_with_the_next_try() -> None:
    told = Story(NOON + timedelta(hours=1))
    told.hear(**STEP, server_id="srv-2", at=20)
    told.hear(status="failed", server_id="srv-1", at=19)

    assert told.job.attempt.is_machine("srv-2")
    assert told.rolled_back == ["srv-1"]


def test_a_run_has_begun_whatever_came_first_of_its_step_and_its_failure() -> None:
    told = Story(NOON + timedelta(hours=1))
    told.hear(**STEP, workflow_run_id="1")
    told.hear(status="failed", error="no quota", workflow_run_id="2")
    told.hear(**STEP, workflow_run_id="2")

    assert told.job.attempt.final is not None
    assert told.job.attempt.final.error == "no quota"


def test_the_next_try_reaches_the_step_that_the_first_one_had_reached() -> None:
    told = Story(NOON + timedelta(hours=1))
    told.hear(status="provisioning", at=20)
    told.hear(**STEP, at=14)
    told.hear(status="failed", at=19)
    told.hear(**STEP, at=24)

    assert told.job.attempt.steps.keys() == {"vm_created"}


def test_a_step_of_two_tries_stays_with_the_later_one() -> None:
    told = Story(NOON + timedelta(hours=1))
    told.hear(**STEP, at=24)
    told.hear(**STEP, at=14)
    told.hear(status="failed", at=19)

    assert told.job.attempt.status == "provisioning"
    assert told.job.attempt.steps.keys() == {"vm_created"}


@pytest.mark.parametrize("times", [(14, 24), (24, 14)])
def test_a_step_of_two_tries_was_recorded_when_the_later_one_reached_it(
    times: tuple[int, int],
) -> None:
    """Its deadline counts from then, and no clock looks as if it were fast."""
    told = Story(NOON + timedelta(hours=1))
    recorded = dict[int, datetime]()
    for time in times:
        told.hear(**STEP, at=time)
        recorded[time] = told.now

    told.hear(status="failed", at=19)

    reached = told.job.attempt.steps["vm_created"]
    assert (reached.recorded_at, reached.occurred_at) == (recorded[24], minute(24))


def test_a_later_heartbeat_that_came_first_does_not_hide_that_work_goes_on() -> None:
    """The heartbeat of the next try claimed the attempt, and dates that claim after the failure."""
    told = Story(NOON + timedelta(hours=1))
    told.hear(type="heartbeat", at=25)
    told.hear(status="failed", at=19)
    told.hear(status="provisioning", at=20)

    assert told.job.attempt.status == "provisioning"


def test_a_failure_without_a_run_takes_nothing_from_a_run_that_names_itself() -> None:
    """The machine's clock is slow, so it dates the machine before the failure of another run."""
    told = Story(NOON + timedelta(hours=1))
    told.hear(status="provisioning", workflow_run_id="7", run_attempt=2, at=60)
    told.hear(**STEP, server_id="srv-1", workflow_run_id="7", run_attempt=2, at=-20)
    told.hear(status="failed", at=59)

    assert told.shown == ("provisioning", "srv-1")
    assert told.job.attempt.steps.keys() == {"vm_created"}

    told.wait()

    assert told.rolled_back == ["srv-1"]
