"""A job's state at one of its versions, stored so that the events before it need not be read.

Snapshots are a cache: everything in them can be folded from the events again.
"""

from __future__ import annotations

import msgspec

from domain.job.provisioning_job import ProvisioningJob
from domain.log.mapper import JobEventMapper

SHAPE = "1"
"""Changes with every change of `ProvisioningJob`, of what is in it, or of how it is folded.

A snapshot of another shape is passed over, and the job's events are folded instead.
"""
EVERY = 100
"""How many events a job gets before its next snapshot is due."""

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(ProvisioningJob)


class Snapshot(msgspec.Struct, frozen=True):
    """A job's state after its event of this version; `state` is sealed like an event's."""

    job_id: str
    version: int
    shape: str
    state: bytes


def take(job: ProvisioningJob, mapper: JobEventMapper) -> Snapshot:
    """Return the job as it can be stored."""
    return Snapshot(job.id, job.version, SHAPE, mapper.seal(_encoder.encode(job)))


def restore(snapshot: Snapshot, mapper: JobEventMapper) -> ProvisioningJob | None:
    """Return the job, or None if it has another shape or cannot be read, as with another key."""
    if snapshot.shape != SHAPE:
        return None
    try:
        job = _decoder.decode(mapper.unseal(snapshot.state))
    except Exception:  # a cipher or a compressor may raise what it likes
        return None
    return job if (job.id, job.version) == (snapshot.job_id, snapshot.version) else None
