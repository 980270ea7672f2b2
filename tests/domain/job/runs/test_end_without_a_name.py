"""A run's end names no run and overtakes a word of that run, or comes from a slow clock."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from domain.job.callback import Callback
from domain.job.events import RollbackRequested
from domain.job.provisioning_job import Outcome, ProvisioningJob
from tests.support.jobs.histories import callback
from tests.support.stores.deployment import NOON

Word = tuple[int, int, dict[str, Any]]
"""When a callback is recorded and when it happened by its sender, in seconds, and what it says."""

BEGINS: dict[str, Any] = {"status": "provisioning", "workflow_run_id": "8"}
STEP = BEGINS | {"step": "vm_created", "server_id": "srv-1"}
FAILS: dict[str, Any] = {"status": "failed", "error": "no quota"}


def word(recorded: int, happened: int, said: dict[str, Any]) -> tuple[Callback, timedelta]:
    time = NOON + timedelta(seconds=happened)
    return callback(**said, occurred_at=time), timedelta(seconds=recorded)


def told(*words: Word) -> Outcome:
    """Return all that was decided about a job that heard these words."""
    outcome = Outcome(ProvisioningJob("job"))
    for each in words:
        said, after = word(*each)
        decided = outcome.job.report(said, NOON + after)
        outcome = Outcome(decided.job, outcome.events + decided.events)
    return outcome


def rolled_back(outcome: Outcome) -> list[str | None]:
    return [fact.server_id for fact in outcome.facts if isinstance(fact, RollbackRequested)]


@pytest.mark.parametrize("said", [BEGINS, STEP, {"type": "heartbeat", "workflow_run_id": "8"}])
def test_a_failure_that_overtakes_a_word_of_its_run_is_shown(said: dict[str, Any]) -> None:
    """In the order of their times, the same two words end as `failed`."""
    overtaken = told((50, 49, FAILS), (52, 30, said)).job
    in_order = told((31, 30, said), (50, 49, FAILS)).job

    for job in (overtaken, in_order):
        assert (job.attempt.number, job.attempt.outcome, job.runs.opened) == (1, "failed", 1)
        assert job.attempt.final
        assert job.attempt.final.error == "no quota"


def test_the_machine_of_the_word_that_was_overtaken_has_to_go() -> None:
    assert rolled_back(told((50, 49, FAILS), (52, 30, STEP))) == ["srv-1"]


def test_a_success_that_overtakes_a_step_of_its_run_keeps_its_machine() -> None:
    story = told((50, 49, {"status": "running"}), (52, 30, STEP))

    silent = story.job.time_out(NOON + timedelta(hours=1))

    assert story.job.attempt.status == "running"
    assert story.job.attempt.machine_id == "srv-1"
    assert silent.facts == []


def test_a_run_that_begins_after_the_failure_is_the_next_attempt() -> None:
    job = told((50, 49, FAILS), (60, 59, BEGINS)).job

    assert (job.attempt.number, job.attempt.status) == (2, "provisioning")


def test_a_run_with_a_slow_clock_is_the_next_attempt() -> None:
    """It says that it began five minutes ago; its name counts for more than its clock."""
    job = told((400, 399, FAILS), (460, 160, STEP)).job

    assert (job.attempt.number, job.attempt.status) == (2, "provisioning")
    assert rolled_back(told((400, 399, FAILS), (460, 160, STEP))) == []


def test_a_failure_with_a_clock_far_ahead_adopts_no_run() -> None:
    job = told((50, 5000, FAILS), (55, 54, BEGINS)).job

    assert (job.attempt.number, job.attempt.status) == (2, "provisioning")


def test_silence_does_not_condemn_a_machine_that_may_be_the_one_that_runs() -> None:
    """`running` named neither its run nor its machine, and a late word of a run names one."""
    story = told((700, 699, {"status": "running"}), (720, 400, STEP))

    silent = story.job.time_out(NOON + timedelta(hours=1))

    assert silent.job.attempt.status == "running"
    assert rolled_back(silent) == []


def test_a_reported_failure_condemns_its_machine_although_another_runs() -> None:
    story = told(
        (700, 699, {"status": "running"}),
        (720, 400, STEP),
        (800, 799, FAILS | {"workflow_run_id": "8", "server_id": "srv-1"}),
    )

    assert story.job.attempt.status == "running"
    assert rolled_back(story) == ["srv-1"]


# A host whose clock is 300 seconds behind

SLOW = 300


def test_a_failure_from_a_clock_known_to_be_slow_ends_the_present_attempt() -> None:
    """The machine's clock was measured with its first step; its failure is no older one's."""
    job = told(
        (600, 600, BEGINS),
        (640, 640 - SLOW, {"status": "provisioning", "step": "vm_created"}),
        (780, 780 - SLOW, FAILS),
    ).job

    assert (job.attempt.number, job.attempt.outcome) == (1, "failed")


def test_a_slow_clock_that_an_earlier_attempt_measured_is_known() -> None:
    job = told(
        (10, 10, BEGINS | {"workflow_run_id": "7"}),
        (40, 40 - SLOW, {"type": "heartbeat"}),
        (60, 60, FAILS | {"workflow_run_id": "7"}),
        (120, 120, BEGINS),
        (180, 180 - SLOW, FAILS),
    ).job

    assert (job.attempt.number, job.attempt.outcome) == (2, "failed")


def test_a_failure_that_was_on_its_way_for_another_time_is_that_of_an_earlier_try() -> None:
    """It is 500 seconds late, and the clock that was measured is 300 seconds behind."""
    job = told(
        (600, 600, BEGINS),
        (640, 640 - SLOW, {"status": "provisioning", "step": "vm_created"}),
        (780, 280, FAILS),
    ).job

    assert job.attempt.status == "provisioning"
