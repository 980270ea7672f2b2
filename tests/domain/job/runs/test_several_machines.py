"""A run that reported several machines leaves all of them behind when it fails."""

from __future__ import annotations

from typing import Any

import pytest

from domain.errors import NotPossible
from domain.job.attempt.fold import evolve
from domain.job.events import StatusReported
from domain.job.provisioning_job import ProvisioningJob
from domain.job.runs.orders import possible
from tests.support.jobs.orders import order
from tests.support.jobs.stories import Story
from tests.support.stores.deployment import NOON

RUN: dict[str, Any] = {"workflow_run_id": "7"}


def step(machine: str, **said: Any) -> dict[str, Any]:
    return {"status": "provisioning", "step": "vm_created", "server_id": machine, **RUN, **said}


def failed(*machines: str) -> Story:
    """Return the story of a run that reported these machines and failed."""
    story = Story()
    for machine in machines:
        story.hear(**step(machine))
    story.hear(status="failed", **RUN)
    return story


def left(job: ProvisioningJob) -> set[str | None]:
    return {machine for each in job.runs.attempts for machine, _ in each.machines_left}


def test_all_machines_of_the_run_are_asked_back() -> None:
    story = failed("srv-1", "srv-2", "srv-1", "srv-3")

    assert sorted(map(str, story.rolled_back)) == ["srv-1", "srv-2", "srv-3"]
    assert left(story.job) == {"srv-1", "srv-2", "srv-3"}


def test_a_machine_that_another_run_works_on_stays() -> None:
    story = Story()
    for machine in ("srv-1", "srv-2"):
        story.hear(**step(machine))
    story.hear(**step("srv-1", workflow_run_id="8"))
    story.hear(status="failed", **RUN)

    assert story.rolled_back == ["srv-2"]


def test_each_machine_is_confirmed_by_its_name() -> None:
    job = failed("srv-1", "srv-2").job

    with pytest.raises(NotPossible, match=r"'srv-2' .*'srv-1'"):
        order(job, "stopped")
    job = order(job, "stopped", server_id="srv-1").job
    assert left(job) == {"srv-2"}
    assert order(job, "stopped", server_id="srv-1").facts == []
    job = order(job, "stopped").job
    assert left(job) == set()
    assert "stopped" not in possible(job.runs, 3)


@pytest.mark.parametrize("gone", ["srv-1", "srv-2"])
def test_a_workflow_confirms_a_machine_by_its_name(gone: str) -> None:
    story = failed("srv-1", "srv-2")

    story.hear(status="stopped", server_id=gone, **RUN)

    assert left(story.job) == {"srv-1", "srv-2"} - {gone}


def test_a_machine_that_says_that_it_runs_is_wanted_after_all() -> None:
    story = failed("srv-1", "srv-2")

    story.hear(
        status="running", server_id="srv-1", server_ip="203.0.113.7", tailscale_ip="ts", **RUN
    )

    assert story.shown == ("running", "srv-1")
    assert left(story.job) == {"srv-2"}


def test_a_timeout_that_is_taken_back_asks_for_none() -> None:
    story = Story()
    for machine in ("srv-1", "srv-2"):
        story.hear(**step(machine))
    story.wait()
    assert left(story.job) == {"srv-1", "srv-2"}

    story.hear(type="heartbeat", **RUN)
    assert left(story.job) == set()

    story.hear(status="failed", **RUN)
    assert left(story.job) == {"srv-1", "srv-2"}


def test_a_machine_that_a_cancelled_run_names_later_joins_the_others() -> None:
    story = Story()
    story.hear(**step("srv-1"))
    job = order(story.job, "cancel", story.now).job
    for machine in ("srv-2", "srv-3"):
        story = Story(story.now)
        story.job = job
        story.hear(**step(machine))
        job = story.job

    assert left(job) == {"srv-1", "srv-2", "srv-3"}


def test_a_machine_that_is_gone_is_not_asked_back_again() -> None:
    story = failed("srv-1", "srv-2")
    story.hear(status="stopped", server_id="srv-1", **RUN)

    story.hear(**step("srv-1", step="late_step"))

    assert left(story.job) == {"srv-2"}


def test_a_run_that_ends_well_leaves_nothing_to_be_asked_back() -> None:
    story = Story()
    for machine in ("srv-1", "srv-2"):
        story.hear(**step(machine))
    story.hear(status="running", **RUN)

    assert story.rolled_back == []


def test_a_machine_named_after_the_end_is_left_when_another_run_takes_the_first() -> None:
    story = failed("srv-1")
    story.hear(**step("srv-2", step="late_step"))
    story.hear(**step("srv-1", workflow_run_id="8"))

    assert left(story.job) == {"srv-2"}
    assert left(order(story.job, "stopped", server_id="srv-2").job) == set()


def test_a_word_without_a_run_after_the_end_names_no_machine_of_the_failed_run() -> None:
    """It may be another run's, which nobody named yet."""
    story = Story()
    story.hear(status="failed", server_id="srv-1")
    story.hear(status="provisioning", step="vm_created", server_id="srv-2")

    assert story.rolled_back == ["srv-1"]


def test_an_attempt_that_stopped_in_an_earlier_release_stays_stopped() -> None:
    """Earlier releases knew the last machine of an attempt, and stored no word about others."""
    job = failed("srv-1", "srv-2").job
    old = StatusReported(recorded_at=NOON, status="stopped", server_id="srv-1", workflow_run_id="7")

    attempt = evolve(job.attempt, old)

    assert attempt.stopped_at == NOON
