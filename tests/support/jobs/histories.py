"""Facts of a job's life, and the job after them."""

from __future__ import annotations

import msgspec

from domain.job.callback import Callback
from domain.job.events import (
    Fact,
    JobEvent,
    JobQueued,
    JobTimedOut,
    MetadataReported,
    RollbackRequested,
    StatusReported,
    StopRequested,
)
from domain.job.provisioning_job import ProvisioningJob, evolve
from tests.support.jobs.strategies import minute
from tests.support.stores.deployment import NOON

QUEUED = JobQueued(recorded_at=NOON, agent_id="agent", user_id="ada", workflow="vm@1")
PROVISIONING = StatusReported(recorded_at=NOON, status="provisioning")
MACHINE = MetadataReported(recorded_at=NOON, server_id="srv-1", server_ip="203.0.113.7")
RUNNING = StatusReported(recorded_at=minute(5), status="running")
FAILED = StatusReported(recorded_at=minute(5), status="failed", error="boom")
TIMED_OUT = JobTimedOut(recorded_at=minute(16), attempt=1, silent_since=NOON, error="Timeout")
ROLLBACK = RollbackRequested(recorded_at=minute(16), attempt=1, server_id="srv-1")
STOPPING = StopRequested(recorded_at=minute(8), requested_by="ada")


def job_after(*history: Fact) -> ProvisioningJob:
    """Return the job after these facts."""
    job = ProvisioningJob("job")
    for version, fact in enumerate(history, start=1):
        job = evolve(job, JobEvent("job", version, fact))
    return job


def callback(**said: object) -> Callback:
    """Return a callback of the job that says this."""
    return msgspec.convert({"job_id": "job", **said}, Callback)
