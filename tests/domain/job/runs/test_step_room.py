"""A job's state has a bound for its steps, which the names of no sender exceed."""

from __future__ import annotations

import msgspec
import pytest

from domain.job.attempt.progress import MAX_STEPS
from domain.job.provisioning_job import ProvisioningJob
from domain.job.runs.state import MAX_RUNS
from domain.job.runs.step_room import LONGEST_NAME, MAX_STEP_BYTES, TIMES_BYTES
from tests.support.jobs.stories import Story

ROCKET = "\N{ROCKET}"
TWO_ATTEMPTS = 2 * MAX_STEPS * (TIMES_BYTES + LONGEST_NAME)
"""The shown attempt and the one that reports keep all steps."""


def reporting(story: Story, run: int, count: int, name: str) -> None:
    for number in range(count):
        step = f"{number}{name}"[:200]
        story.hear(status="provisioning", step=step, workflow_run_id=str(run), at=run)


@pytest.mark.parametrize("name", ["x" * 200, ROCKET * 200, ""])
def test_fifty_attempts_of_two_hundred_steps_fit_into_the_room(name: str) -> None:
    story = Story()

    for run in range(1, MAX_RUNS + 1):
        reporting(story, run, MAX_STEPS, name)

    room = MAX_STEP_BYTES + TWO_ATTEMPTS
    assert len(msgspec.json.encode(story.job)) < room + 1_000 * MAX_RUNS
    assert len(story.job.attempt.steps) == MAX_STEPS
    assert not story.job.attempt.steps_left_out


def test_attempts_that_are_opened_before_they_report_fit_into_the_room() -> None:
    story = Story()
    for run in range(1, MAX_RUNS + 1):
        story.hear(status="provisioning", workflow_run_id=str(run), at=run)

    for run in range(1, MAX_RUNS + 1):
        reporting(story, run, MAX_STEPS, ROCKET * 200)

    assert len(msgspec.json.encode(story.job)) < MAX_STEP_BYTES + TWO_ATTEMPTS + 1_000 * MAX_RUNS


def test_the_oldest_runs_lose_their_steps_first_and_say_so() -> None:
    story = Story()

    for run in range(1, 8):
        reporting(story, run, MAX_STEPS, "")

    left_out = [each.steps_left_out for each in story.job.runs.attempts]
    assert left_out == [True] * left_out.count(True) + [False] * left_out.count(False)
    assert 0 < left_out.count(True) < 6
    for attempt in story.job.runs.attempts:
        assert attempt.steps_left_out is not bool(attempt.steps)
    stored = msgspec.json.encode(story.job)
    assert msgspec.json.decode(stored, type=ProvisioningJob) == story.job


def test_fifty_attempts_of_an_ordinary_workflow_keep_all_steps() -> None:
    story = Story()

    for run in range(1, MAX_RUNS + 1):
        reporting(story, run, 12, "_ordinary_step")

    assert [len(each.steps) for each in story.job.runs.attempts] == [12] * MAX_RUNS


def test_what_the_steps_of_an_attempt_take_changes_no_status() -> None:
    story = Story()
    for run in range(1, 8):
        reporting(story, run, MAX_STEPS, "")
        story.hear(status="failed", workflow_run_id=str(run), at=run + 0.5)

    assert [each.status for each in story.job.runs.attempts] == ["failed"] * 7
    reporting(story, 1, 3, "again")
    assert story.job.runs.attempts[0].status == "failed"
    assert story.shown == ("failed", None)
