"""A sender's clock that is some seconds wrong, beside moments of Milepost's clock."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from domain.job.callback import Callback
from domain.job.provisioning_job import ProvisioningJob
from domain.job.runs.orders import Requested
from tests.support.stores.deployment import NOON

STEP: dict[str, Any] = {"status": "provisioning", "step": "vm_created", "server_id": "srv-1"}
RUNNING: dict[str, Any] = {"status": "running", "server_id": "srv-1"}


class Sender:
    """A workflow whose clock is `ahead` seconds ahead of Milepost's; its job hears it at once."""

    def __init__(self, ahead: float) -> None:
        self.ahead = ahead
        self.job = ProvisioningJob("job")

    def says(self, sent: float, arrives: float | None = None, **said: Any) -> None:
        """Send a callback some seconds after noon, which may arrive later."""
        said["occurred_at"] = after_noon(sent + self.ahead)
        callback = Callback(job_id="job", **said)
        self.job = self.job.report(callback, after_noon(sent if arrives is None else arrives)).job


def after_noon(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


@pytest.mark.parametrize("ahead", [-18, 0, 18])
def test_a_machine_that_was_started_again_at_once_runs(ahead: float) -> None:
    sender = Sender(ahead)
    sender.says(0, **RUNNING)
    sender.says(60, status="stopped", server_id="srv-1")
    sender.says(65, **RUNNING)

    assert (sender.job.attempt.status, sender.job.attempt.number) == ("running", 2)


@pytest.mark.parametrize("ahead", [-18, 0, 18])
def test_running_that_was_sent_before_its_machine_was_stopped_comes_too_late(ahead: float) -> None:
    sender = Sender(ahead)
    sender.says(0, **STEP)
    sender.says(30, **RUNNING)
    sender.says(60, status="stopped", server_id="srv-1")
    sender.says(50, arrives=70, **RUNNING)

    assert (sender.job.attempt.status, sender.job.attempt.number) == ("stopped", 1)


@pytest.mark.parametrize("ahead", [-18, 0, 18])
def test_only_a_word_that_was_sent_after_a_timeout_takes_it_back(ahead: float) -> None:
    sender = Sender(ahead)
    sender.says(0, workflow_run_id="7", **STEP)
    sender.job = sender.job.time_out(after_noon(1000)).job

    sender.says(990, arrives=1010, workflow_run_id="7", type="heartbeat")
    assert sender.job.attempt.outcome == "timed_out"

    sender.says(1012, workflow_run_id="7", type="heartbeat")
    assert sender.job.attempt.status == "provisioning"


def test_a_run_with_two_clocks_takes_its_timeout_back_with_either() -> None:
    told = Sender(0)
    told.says(0, workflow_run_id="7", status="provisioning")
    told.ahead = -18
    told.says(30, workflow_run_id="7", **STEP)
    told.job = told.job.time_out(after_noon(1000)).job
    told.says(1005, workflow_run_id="7", type="heartbeat")

    assert told.job.attempt.status == "provisioning"


@pytest.mark.parametrize("ahead", [-5400, -18, 0, 18])
def test_a_run_that_begins_again_after_a_retry_was_ordered_is_the_retry(ahead: float) -> None:
    sender = Sender(ahead)
    sender.says(0, workflow_run_id="7", status="provisioning")
    sender.says(60, workflow_run_id="7", status="failed", error="no quota")
    sender.job = sender.job.retry(Requested(after_noon(70), "ops"), 3).job
    sender.says(75, workflow_run_id="7", status="provisioning")

    attempt = sender.job.attempt
    assert (attempt.status, attempt.number) == ("provisioning", 2)


def test_a_late_step_of_a_fast_clock_does_not_begin_a_retry() -> None:
    sender = Sender(18)
    sender.says(0, workflow_run_id="7", status="provisioning")
    sender.says(60, workflow_run_id="7", status="failed", error="no quota")
    sender.job = sender.job.retry(Requested(after_noon(70), "ops"), 3).job
    sender.says(58, arrives=75, workflow_run_id="7", **STEP)

    assert sender.job.attempt.status == "queued"


def test_a_late_step_of_a_fast_clock_does_not_follow_a_failure_without_a_clock() -> None:
    sender = Sender(50)
    sender.says(0, workflow_run_id="7", status="provisioning")
    failed = Callback(job_id="job", workflow_run_id="7", status="failed", error="no quota")
    sender.job = sender.job.report(failed, after_noon(60)).job
    sender.says(58, arrives=75, workflow_run_id="7", **STEP)

    assert (sender.job.attempt.status, sender.job.attempt.number) == ("failed", 1)
