"""Operators' commands, for the tests of what they do and of what needs them."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from typing import Final

from domain.errors import NothingToStop, NotPossible
from domain.job.callback import Callback
from domain.job.provisioning_job import Outcome, ProvisioningJob
from domain.job.runs.orders import Ordered, Requested
from tests.support.jobs.strategies import minute

COMMANDS: Final[tuple[Ordered, ...]] = ("fail", "cancel", "retry", "stopped")
LATER: Final = minute(20)


def order(
    job: ProvisioningJob,
    order: Ordered,
    now: datetime = LATER,
    *,
    max_retries: int = 3,
    server_id: str | None = None,
) -> Outcome:
    """Return what a command decides about the job."""
    match order:
        case "fail":
            return job.fail(Requested(now, "ops", "stuck"), max_retries)
        case "cancel":
            return job.cancel(Requested(now, "ops", "stuck"), max_retries)
        case "retry":
            return job.retry(Requested(now, "ops", "again"), max_retries)
        case "stopped":
            return job.confirm_stopped(Requested(now, "ops", "seen"), max_retries, server_id)


def told(
    job: ProvisioningJob, asked: Callback | str, now: datetime, allowed: int
) -> ProvisioningJob:
    """Return the job after a callback, after time passed, or after a command if it is possible."""
    if isinstance(asked, Callback):
        return job.report(asked, now).job
    if asked == "time":
        return job.time_out(now).job
    if asked == "stop":
        with suppress(NothingToStop):
            return job.stop(Requested(now, "ops", "done")).job
        return job
    with suppress(NotPossible):
        return order(job, asked, now, max_retries=allowed).job  # type: ignore[arg-type]
    return job
