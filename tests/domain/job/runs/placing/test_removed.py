"""Machines that a run removes: its own one, or that of an earlier run."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.jobs.histories import QUEUED
from tests.support.jobs.stories import Story

RUNS: list[dict[str, Any]] = [
    {"workflow_run_id": "7", "run_attempt": 1},
    {"workflow_run_id": "7"},
    {},
]


@pytest.mark.parametrize("run", RUNS)
def test_a_failure_after_its_clean_up_says_why_it_failed(run: dict[str, Any]) -> None:
    """`if: always()` runs the clean-up first, and the callback with the error last."""
    told = Story()
    told.hear(status="provisioning", step="vm_created", server_id="srv-1", **run)
    told.hear(status="stopped", server_id="srv-1", **run)
    told.hear(status="failed", error="no quota", failed_step="configure", **run)

    final = told.job.attempt.final
    assert final
    assert (final.error, final.failed_step) == ("no quota", "configure")
    assert told.job.attempt.stopped_at
    assert not told.job.attempt.machines_left


def test_a_second_failure_after_a_clean_up_changes_nothing() -> None:
    told = Story()
    told.hear(status="stopped", workflow_run_id="7")
    told.hear(status="failed", error="no quota", workflow_run_id="7")
    told.hear(status="failed", error="exit code 1", workflow_run_id="7")

    assert told.job.attempt.final
    assert told.job.attempt.final.error == "no quota"


@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize("ends", ["running", "timeout"])
def test_a_run_that_removed_its_machine_may_run_on_another_one(
    run: dict[str, Any], ends: str
) -> None:
    told = Story()
    told.hear(status="provisioning", step="vm_created", server_id="srv-1", **run)
    if ends == "running":
        told.hear(status="running", server_id="srv-1", **run)
    else:
        told.wait()
    told.hear(status="stopped", server_id="srv-1", **run)
    told.hear(status="provisioning", step="vm_created", server_id="srv-2", **run)
    told.hear(status="running", server_id="srv-2", **run)

    assert told.shown == ("running", "srv-2")
    assert told.rolled_back == (["srv-1"] if ends == "timeout" else [])


def test_a_late_step_with_an_earlier_machine_starts_nothing() -> None:
    """It is dated before the run's last sign that work goes on."""
    told = Story()
    told.hear(at=1, status="provisioning", workflow_run_id="7")
    told.hear(at=2, status="running", server_id="srv-1", workflow_run_id="7")
    told.hear(at=3, status="stopped", server_id="srv-1", workflow_run_id="7")

    told.hear(
        at=1.5, status="provisioning", step="vm_created", server_id="srv-0", workflow_run_id="7"
    )

    assert told.shown == ("stopped", "srv-1")


@pytest.mark.parametrize("end", ["running", "failed"])
def test_a_run_that_removed_an_earlier_machine_is_a_run_of_its_own(end: str) -> None:
    """A workflow that replaces a machine begins by removing the old one."""
    old = RUNS[0]
    new: dict[str, Any] = {"workflow_run_id": "9", "run_attempt": 1}
    told = Story()
    told.hear(status=end, server_id="srv-1", **old)
    told.hear(status="stopped", server_id="srv-1", **new)

    told.hear(status="provisioning", **new)
    told.hear(status="running", server_id="srv-2", **new)
    told.hear(type="heartbeat", **old)  # a late one

    assert told.shown == ("running", "srv-2")
    assert [each.run_id and each.run_id.value for each in told.job.runs.attempts] == ["7", "9"]


@pytest.mark.parametrize("run", [{"workflow_run_id": "9", "run_attempt": 1}, {}])
def test_a_clean_up_before_the_first_word_ends_no_registered_job(run: dict[str, Any]) -> None:
    """A workflow may remove what an earlier job left before it says that it works."""
    registered = Story()
    registered.job = registered.job.queue(QUEUED).job
    registered.hear(status="stopped", **run)
    before = registered.shown

    registered.hear(status="running", server_id="srv-1", **run)

    assert before == ("queued", None)
    assert registered.shown == ("running", "srv-1")
    assert len(registered.job.runs.attempts) == 1


def test_a_job_that_nobody_registered_waits_for_no_workflow() -> None:
    told = Story()
    told.hear(status="stopped")

    assert told.shown == ("failed", None)
