"""A job's state at one of its versions, stored so that the events before it need not be read.

Snapshots are a cache: everything in them can be folded from the events again.
"""

from __future__ import annotations

import msgspec

from domain.job.provisioning_job import ProvisioningJob
from domain.log.mapper import JobEventMapper

SHAPE = "7"
"""The shape of snapshots. Change it with `ProvisioningJob`, its parts, or the way it is folded.

Milepost ignores a snapshot of another shape, and folds the job's events instead.
"""
EVERY = 100
"""The number of events after which a job's next snapshot is due."""

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(ProvisioningJob)


class Snapshot(msgspec.Struct, frozen=True):
    """A job's state after its event of this version; `state` is sealed like an event's."""

    job_id: str
    version: int
    shape: str
    state: bytes


def snapshot_of(job: ProvisioningJob, mapper: JobEventMapper) -> Snapshot:
    """Return a snapshot of the job."""
    return Snapshot(job.id, job.version, SHAPE, mapper.seal(_encoder.encode(job)))


def restore(snapshot: Snapshot, mapper: JobEventMapper) -> ProvisioningJob | None:
    """Return the job; None if the snapshot has another shape or cannot be read.

    For example, a snapshot that was encrypted with another key cannot be read.
    """
    if snapshot.shape != SHAPE:
        return None
    try:
        job = _decoder.decode(mapper.unseal(snapshot.state))
    except Exception:  # a cipher or a compressor may raise any error
        return None
    return job if (job.id, job.version) == (snapshot.job_id, snapshot.version) else None
