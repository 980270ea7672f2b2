"""A job's state has one bound in bytes, whatever its sender reports."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest

from domain.job.attempt.progress import MAX_STEPS
from domain.job.callback import Callback
from domain.job.events import RollbackRequested
from domain.job.provisioning_job import ProvisioningJob
from domain.job.runs.doubtful import doubtful
from domain.job.runs.room import MAX_BYTES
from domain.job.runs.state import MAX_RUNS
from tests.support.jobs import greedy
from tests.support.jobs.stories import Story
from tests.support.jobs.strategies import minute

SPARED = 3 * 224 * 2**10
"""The attempts that a job never forgets: the shown one, the watched one, the one that reports."""
BESIDE = 16 * 2**10
"""A job's names, its registration, and the digests of forgotten runs."""
RUNS = 40
"""So many runs of about 17 KB have no room together."""
MANY_RUNS = 20
"""More runs than a state has room for, with all that a sender can say: more change nothing."""
Words = Callable[[int, int], Iterator[dict[str, Any]]]


@pytest.mark.parametrize("words", [greedy.words, greedy.words_of_open_runs])
def test_a_greedy_sender_cannot_make_a_state_exceed_its_room(words: Words) -> None:
    job, _ = greedy.lived(words(MANY_RUNS, 21))

    assert len(job.runs.attempts) < MANY_RUNS
    assert len(msgspec.json.encode(job)) < MAX_BYTES + BESIDE


@pytest.mark.parametrize("words", [greedy.words, greedy.words_of_open_runs])
def test_neither_can_one_who_reports_as_many_steps_as_he_can(words: Words) -> None:
    job, _ = greedy.lived(words(6, MAX_STEPS))

    assert len(msgspec.json.encode(job)) < max(MAX_BYTES, SPARED) + BESIDE


def test_the_attempts_of_the_oldest_runs_are_forgotten_first() -> None:
    story = Story()
    for run in range(1, RUNS + 1):
        _fill(story, run)

    numbers = [each.number for each in story.job.runs.attempts]
    assert 3 < len(numbers) < RUNS
    assert numbers == list(range(RUNS + 1 - len(numbers), RUNS + 1))
    assert story.job.runs.opened == RUNS
    assert story.job.runs.has_forgotten("1", None)
    stored = msgspec.json.encode(story.job)
    assert msgspec.json.decode(stored, type=ProvisioningJob) == story.job


def test_a_late_word_of_a_forgotten_run_changes_nothing() -> None:
    story = Story()
    for run in range(1, RUNS + 1):
        _fill(story, run)
    before = story.job.runs

    story.hear(status="provisioning", step="late", workflow_run_id="1", at=500)

    assert story.job.runs == before


def test_an_attempt_whose_machine_has_to_be_removed_is_forgotten_last() -> None:
    story = Story()
    story.hear(status="provisioning", workflow_run_id="1", server_id="the-one", at=1)
    story.hear(status="failed", workflow_run_id="1", at=1.5)
    assert story.wanted_gone == [(1, "the-one")]

    for run in range(2, RUNS + 1):
        _fill(story, run)

    first, second = story.job.runs.attempts[:2]
    assert first.machines_left
    assert (first.number, second.number > 3) == (1, True)


def test_fifty_attempts_of_an_ordinary_workflow_are_remembered() -> None:
    story = Story()

    for run in range(1, MAX_RUNS + 1):
        for step in range(20):
            name = f"an_ordinary_step_{step}"
            story.hear(status="provisioning", step=name, workflow_run_id=str(run), at=run)
        story.hear(status="failed", error="x" * 3_000, workflow_run_id=str(run), at=run + 0.5)

    assert len(story.job.runs.attempts) == MAX_RUNS


def test_no_rollback_is_asked_for_twice_though_attempts_are_forgotten() -> None:
    _, events = greedy.lived(greedy.words(MANY_RUNS, 21))

    asked = [each.fact.server_id for each in events if isinstance(each.fact, RollbackRequested)]
    assert len(asked) == len(set(asked)) == MANY_RUNS * 20


def _fill(story: Story, run: int) -> None:
    """Report a run that takes about 17 KB, and leaves no machine behind."""
    for number in range(20):
        machine = f"{number}/{run} {greedy.WIDE}"
        named: dict[str, Any] = {"workflow_run_id": str(run), "server_id": machine, "at": run}
        story.hear(status="provisioning", **named)
    story.hear(status="running", workflow_run_id=str(run), at=run + 0.2)


def test_a_question_about_a_machine_outlasts_runs_that_left_nothing() -> None:
    job = ProvisioningJob("job")
    said: list[dict[str, Any]] = [
        {"workflow_run_id": "1", "status": "provisioning", "step": "s", "server_id": "srv-a"},
        {"workflow_run_id": "1", "status": "running", "server_id": "srv-b"},
        {"workflow_run_id": "1", "status": "stopped", "server_id": "srv-b"},
        {"workflow_run_id": "2", "status": "running", "server_id": "srv-c"},
    ]
    said += [{"workflow_run_id": str(run), "status": "failed"} for run in range(3, 62)]
    for number, word in enumerate(said):
        job = job.report(Callback(job_id="job", **word), minute(number)).job

    assert [machine for _, machine in doubtful(job.runs)] == ["srv-a"]
