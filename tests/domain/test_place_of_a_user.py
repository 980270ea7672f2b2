"""A job that is given up and comes back takes its user's place only if that is free (0021)."""

from __future__ import annotations

from typing import Any

import pytest

from domain.errors import JobInProgress
from domain.job.commands.registration import QueueJob
from domain.job.keys.key import in_progress_key
from domain.writing.batch import Receipt
from tests.support.jobs.histories import callback
from tests.support.stores.deployment import Clock, Deployment
from tests.support.stores.looking import key_of

COMES_BACK: list[dict[str, Any]] = [
    {"type": "heartbeat"},
    {"type": "heartbeat", "workflow_run_id": "1"},
    {"status": "provisioning", "step": "vm_created"},
    {"status": "provisioning", "workflow_run_id": "1"},
    {"status": "provisioning", "workflow_run_id": "2"},
]
"""What takes a timeout back, or opens the next attempt after it."""


def register(made: Deployment, job_id: str) -> Receipt:
    return made.milepost.queue(
        QueueJob(job_id=job_id, agent_id=f"of-{job_id}", user_id="ada", workflow="vm@1")
    )


def report(made: Deployment, job_id: str, **said: Any) -> Receipt:
    return made.milepost.record(callback(**{"job_id": job_id, **said}))


def holder(made: Deployment) -> str | None:
    key = key_of(made.milepost.store, in_progress_key("ada"))
    return key.job_id if key else None


@pytest.fixture
def given_up(stores: Deployment, clock: Clock) -> Deployment:
    """A deployment on which ada's job `one` was given up."""
    register(stores, "one")
    report(stores, "one", status="provisioning", workflow_run_id="1")
    clock.advance(901)
    stores.milepost.time_out("one")
    return stores


@pytest.mark.parametrize("said", COMES_BACK, ids=str)
def test_a_job_that_comes_back_leaves_the_place_to_the_job_that_has_it(
    given_up: Deployment, said: dict[str, Any]
) -> None:
    register(given_up, "two")

    report(given_up, "one", **said)

    assert given_up.milepost.find("one").in_progress
    assert holder(given_up) == "two"
    report(given_up, "two", status="failed")
    report(given_up, "one", type="heartbeat")
    assert holder(given_up) == "one"
    with pytest.raises(JobInProgress, match="'one'"):
        register(given_up, "three")


@pytest.mark.parametrize("said", COMES_BACK, ids=str)
def test_a_job_that_comes_back_takes_a_place_that_is_free(
    given_up: Deployment, said: dict[str, Any]
) -> None:
    report(given_up, "one", **said)

    assert holder(given_up) == "one"
    with pytest.raises(JobInProgress, match="'one'"):
        register(given_up, "two")


def test_a_job_that_runs_after_all_takes_no_place(given_up: Deployment) -> None:
    register(given_up, "two")

    report(given_up, "one", status="running", workflow_run_id="1")

    assert given_up.milepost.find("one").attempt.status == "running"
    assert holder(given_up) == "two"


def test_the_end_of_a_job_that_came_back_leaves_the_other_in_its_place(
    given_up: Deployment,
) -> None:
    register(given_up, "two")
    report(given_up, "one", type="heartbeat")

    report(given_up, "one", status="failed", workflow_run_id="1")

    assert holder(given_up) == "two"


def test_an_operators_retry_waits_for_the_place(given_up: Deployment) -> None:
    register(given_up, "two")

    with pytest.raises(JobInProgress, match="'two'"):
        given_up.milepost.order("retry", "one")

    report(given_up, "two", status="failed")
    given_up.milepost.order("retry", "one")
    assert holder(given_up) == "one"
    with pytest.raises(JobInProgress, match="'one'"):
        register(given_up, "three")


def test_a_cancelled_job_gives_its_place_back(given_up: Deployment) -> None:
    report(given_up, "one", type="heartbeat")
    assert holder(given_up) == "one"

    given_up.milepost.order("cancel", "one")

    assert holder(given_up) is None
