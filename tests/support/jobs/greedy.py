"""A sender who makes one job as large as its callbacks can: what each field takes, in every run."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, Final

from domain.job.attempt.machine import MAX_MACHINES
from domain.job.attempt.progress import MAX_STEPS
from domain.job.callback import Callback
from domain.job.events import JobEvent, JobQueued
from domain.job.provisioning_job import ProvisioningJob
from domain.job.runs.state import MAX_RUNS
from tests.support.stores.deployment import NOON

WIDE: Final = "\N{ROCKET}" * 190
"""With a number, a name of up to 200 characters; each takes four bytes."""
ERROR: Final = "\x01" * 65_536
"""JSON takes six bytes for each of these characters."""


def words(runs: int = MAX_RUNS, steps: int = MAX_STEPS) -> Iterator[dict[str, Any]]:
    """Yield what is said of each run, one run after the other."""
    for run in range(runs):
        yield from opening(run)
        yield from growing(run, steps)


def words_of_open_runs(runs: int = MAX_RUNS, steps: int = MAX_STEPS) -> Iterator[dict[str, Any]]:
    """Yield the same words, but all runs begin before the first one says more."""
    for run in range(runs):
        yield from opening(run)
    for run in range(runs):
        yield from growing(run, steps)


def opening(run: int) -> Iterator[dict[str, Any]]:
    """Yield the first word of a run."""
    yield {"status": "provisioning", "workflow_run_id": f"{run} {WIDE}"}


def growing(run: int, steps: int) -> Iterator[dict[str, Any]]:
    """Yield steps of a run, as many machines as a state has, silences, and a long error."""
    named: dict[str, Any] = {"workflow_run_id": f"{run} {WIDE}"}
    for number in range(steps):
        step = {"status": "provisioning", "step": f"{run}/{number} {WIDE}", **named}
        yield step | _machine(run, number) if number < MAX_MACHINES else step
    yield {
        "status": "failed",
        "step": f"step {run} {WIDE}",
        "failed_step": f"failed {run} {WIDE}",
        "error": ERROR,
        **named,
        **_machine(run, 0),
    }
    for number in range(20):
        yield {"status": "provisioning", "step": f"late {run}/{number} {WIDE}", **named}


def _machine(run: int, number: int) -> dict[str, Any]:
    fields = ("server_id", "server_ip", "tailscale_ip")
    return dict.fromkeys(fields, f"{run}/{number} {WIDE}")


def lived(said: Iterator[dict[str, Any]]) -> tuple[ProvisioningJob, list[JobEvent]]:
    """Return a registered job that hears these words, each after a silence, and its events."""
    names = {"agent_id": WIDE, "user_id": WIDE, "region": WIDE, "idempotency_key": WIDE}
    queued = JobQueued(recorded_at=NOON, workflow="vm@1", requested_by=WIDE, **names)
    outcome, now = ProvisioningJob(f"job {WIDE}").queue(queued), NOON
    events = [*outcome.events]
    for word in said:
        now = later(now)
        callback = Callback(job_id=outcome.job.id, occurred_at=now - timedelta(seconds=1), **word)
        outcome = outcome.job.report(callback, now)
        events += outcome.events
    return outcome.job, events


def later(now: datetime) -> datetime:
    """Return a time that a timeline shows a silence before."""
    return now + timedelta(seconds=150.123456)
