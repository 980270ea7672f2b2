"""A re-run keeps the run id, its first words name no run, and its failure names it again."""

from __future__ import annotations

from typing import Any

from tests.support.jobs.stories import FIRST, SILENCE, STEP, told

SECOND: dict[str, Any] = {"status": "failed", "workflow_run_id": "7", "error": "second"}


def test_the_failure_ends_the_attempt_that_the_re_runs_steps_opened() -> None:
    job = told(STEP, FIRST, STEP | {"server_id": "srv-2"}, SECOND)

    assert job.attempt.number == 2
    assert job.attempt.final is not None
    assert job.attempt.final.error == "second"


def test_the_first_failure_again_does_not_end_the_next_try() -> None:
    job = told(STEP, FIRST, STEP, FIRST)

    assert job.attempt.number == 2
    assert job.attempt.final is None


def test_a_later_clock_tells_an_equal_failure_of_the_next_try() -> None:
    job = told(STEP | {"at": 0}, FIRST | {"at": 1}, STEP | {"at": 2}, FIRST | {"at": 3})

    assert job.attempt.number == 2
    assert job.attempt.final is not None


def test_an_earlier_clock_tells_another_failure_of_the_first_try() -> None:
    job = told(STEP | {"at": 0}, FIRST | {"at": 1}, STEP | {"at": 3}, SECOND | {"at": 1})

    assert job.attempt.number == 2
    assert job.attempt.final is None


def test_the_failure_takes_the_place_of_the_timeout_of_the_re_runs_steps() -> None:
    job = told(STEP, FIRST, STEP, SILENCE, SECOND)

    assert job.attempt.number == 2
    assert job.attempt.final is not None
    assert job.attempt.final.error == "second"


def test_the_failure_of_a_run_takes_the_place_of_the_timeout_of_steps_without_a_run() -> None:
    job = told(STEP, SILENCE, FIRST)

    assert job.attempt.number == 1
    assert job.attempt.final is not None
    assert job.attempt.final.error == "first"


def test_the_failure_of_another_run_leaves_the_timeout_of_a_run_that_is_named() -> None:
    job = told(STEP | {"workflow_run_id": "6"}, SILENCE, FIRST)

    assert job.attempt.number == 1
    assert job.attempt.final is not None
    assert job.attempt.final.inferred
