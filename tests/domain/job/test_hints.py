"""What a receipt says about a callback after the end: it changes nothing only if that is so."""

from __future__ import annotations

import pytest

from domain.job.hints import about_callback
from domain.job.provisioning_job import ProvisioningJob
from tests.support.histories import QUEUED, callback, job_after
from tests.support.orders import order
from tests.support.strategies import minute

RUN = {"workflow_run_id": "1"}
WHOLE = {"server_id": "srv-1", "server_ip": "203.0.113.7", "tailscale_ip": "100.64.0.7"}


def after(end: str, **fields: str) -> ProvisioningJob:
    """Return a job whose run worked on srv-1 and ended so."""
    job = job_after(QUEUED)
    job = job.report(callback(status="provisioning", server_id="srv-1", **RUN), minute(1)).job
    if end == "cancelled":
        return order(job, "cancel", minute(2)).job
    return job.report(callback(status=end, **RUN, **fields), minute(2)).job


def said_of(job: ProvisioningJob, **fields: str) -> str:
    late = callback(**fields)
    return "; ".join(about_callback(job, late, job.report(late, minute(3))))


@pytest.mark.parametrize("end", ["running", "cancelled", "failed"])
def test_a_confirmed_stop_has_no_warning_until_it_says_nothing_new(end: str) -> None:
    job = after(end)
    gone = callback(status="stopped", **RUN)

    assert said_of(job, status="stopped", **RUN) == ""
    again = said_of(job.report(gone, minute(3)).job, status="stopped", **RUN)
    assert again.endswith(", so this changes nothing")


def test_a_machine_that_runs_after_its_job_was_cancelled_withdraws_the_rollback() -> None:
    job = after("cancelled")
    assert job.attempt.rollback_is_open

    said = said_of(job, status="running", **RUN, **WHOLE)

    assert said == "job 'job' is already failed and stays so"


def test_a_machine_that_is_named_after_the_end_is_no_nothing() -> None:
    said = said_of(after("failed"), status="failed", **RUN, server_id="srv-2")

    assert said == "job 'job' is already failed and stays so"


@pytest.mark.parametrize("end", ["running", "failed"])
def test_a_clock_that_is_wrong_changes_nothing_else(end: str) -> None:
    job = after(end)
    late = callback(type="heartbeat", occurred_at=minute(-90), **RUN)

    first, *_ = about_callback(job, late, job.report(late, minute(3)))

    assert first == f"job 'job' is already {end}, so this changes nothing"
