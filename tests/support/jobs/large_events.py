"""Appending events that fill reads of the log."""

from __future__ import annotations

from domain.job.events import HeartbeatReceived, JobEvent
from domain.log.bounded import READ_BYTES
from domain.log.store import Append
from tests.support.stores.deployment import NOON, Deployment

LARGE = READ_BYTES // 4
"""Four such events fill a read."""


def store_large(made: Deployment, *job_ids: str, size: int = LARGE) -> None:
    """Append an event of that size to each of these jobs."""
    versions = dict.fromkeys(job_ids, 0)
    for job_id in job_ids:
        versions[job_id] += 1
        fact = HeartbeatReceived(recorded_at=NOON, extra={"log": "x" * size})
        stored = made.milepost.mapper.to_stored_event(JobEvent(job_id, versions[job_id], fact))
        made.milepost.store.transact({}, [], lambda _, stored=stored: Append([stored]))  # type: ignore[misc]
