"""A failure that is dated before the job was registered comes from a slow clock: it is not late."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from domain.job.events import JobQueued
from tests.support.jobs.stories import Story
from tests.support.stores.deployment import NOON

STEP: dict[str, Any] = {"status": "provisioning", "step": "vm_created"}
AN_HOUR_AGO = -60


def registered() -> Story:
    story = Story()
    story.job = story.job.queue(JobQueued(recorded_at=NOON, agent_id="a", workflow="vm@1")).job
    return story


def test_a_failure_from_a_slow_clock_ends_the_attempt_in_progress() -> None:
    story = registered()
    story.hear(**STEP, server_id="srv-1", at=1)

    story.hear(status="failed", at=AN_HOUR_AGO + 2)

    assert story.shown == ("failed", "srv-1")
    assert len(story.job.runs.attempts) == 1
    assert story.rolled_back == ["srv-1"]


def test_it_ends_the_next_attempt_too() -> None:
    story = registered()
    story.hear(status="provisioning", at=1)
    story.hear(status="failed", at=2)
    story.hear(status="provisioning", at=3)

    story.hear(status="failed", at=AN_HOUR_AGO + 4)

    assert story.job.working is None
    assert [each.status for each in story.job.runs.attempts] == ["failed", "failed"]


def test_it_does_not_move_the_attempt_before_one_that_ran() -> None:
    story = registered()
    story.hear(status="provisioning", at=1)
    story.hear(status="running", server_id="srv-1", at=2)
    story.hear(status="stopped")
    story.hear(status="provisioning", at=4)
    story.hear(**STEP, server_id="srv-2", at=5)

    story.hear(status="failed", at=AN_HOUR_AGO + 6)

    assert story.shown == ("failed", "srv-2")


def test_a_late_failure_that_the_job_can_have_had_ends_nothing() -> None:
    story = registered()
    story.now = NOON + timedelta(minutes=30)
    story.hear(**STEP, server_id="srv-1", at=20)

    story.hear(status="failed", at=1)

    assert story.shown == ("provisioning", "srv-1")


def test_clocks_that_are_slow_alike_are_compared() -> None:
    story = registered()
    story.now = NOON + timedelta(minutes=30)
    story.hear(**STEP, server_id="srv-1", at=AN_HOUR_AGO + 20)

    story.hear(status="failed", at=AN_HOUR_AGO + 1)

    assert story.shown == ("provisioning", "srv-1")


def test_a_job_that_was_registered_late_is_older_than_that() -> None:
    story = Story()
    story.hear(status="provisioning", at=1)
    story.now = NOON + timedelta(minutes=30)
    queued = JobQueued(recorded_at=story.now, agent_id="a", workflow="vm@1")
    story.job = story.job.queue(queued).job
    story.hear(**STEP, server_id="srv-1", at=31)

    story.hear(status="failed", at=2)

    assert story.shown == ("provisioning", "srv-1")
