"""Folding stored events into jobs, from a snapshot on if the job has one."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable
from typing import Final

import msgspec
from eventsourcing.persistence import MapperDeserialisationError

from domain.few_lines import FewWarnings
from domain.job.provisioning_job import ProvisioningJob, evolve
from domain.job.runs.weight import weight_of
from domain.log.mapper import JobEventMapper, decoded
from domain.log.reading.contract import Recalled, Recalling, pages_of
from domain.log.recalling.snapshots import EVERY, restore
from domain.log.stored import Stored

log = logging.getLogger("milepost")
UNREADABLE: Final = FewWarnings(log, "unreadable_event")
"""A job that is recalled again has the same events, and may have thousands of them."""

JOB_BYTES = 1_000
"""About how many bytes a job's state takes beside its attempts, with its place in a cache."""


class Folded(msgspec.Struct, frozen=True, gc=False):
    """A job's folded state, and the version of its newest snapshot that this process knows.

    The state is not `whole` if the fold passed over an event that cannot be read.
    """

    job: ProvisioningJob
    snapshot_version: int = 0
    whole: bool = True

    def weight(self) -> int:
        """About how many bytes of memory the state takes."""
        return JOB_BYTES + weight_of(self.job.runs)

    @property
    def snapshot_due(self) -> bool:
        """True when a snapshot would spare the next reader many events."""
        # A later release may read the event that this release passed over. A snapshot without that
        # event would hide it, so store none.
        return self.whole and self.job.version - self.snapshot_version >= EVERY


def fold(folded: Folded, events: Iterable[Stored], mapper: JobEventMapper) -> Folded:
    """Fold the next events of a job; an event that cannot be read is logged and passed over."""
    job, whole = folded.job, folded.whole
    for stored, event in decoded(events, mapper):
        if isinstance(event, MapperDeserialisationError):
            UNREADABLE.warning("job %r, version %d: %s", job.id, stored.version, event)
            job = msgspec.structs.replace(job, version=stored.version)
            whole = False
        else:
            job = evolve(job, event)
    return Folded(job, folded.snapshot_version, whole)


def recall(store: Recalling, job_ids: Collection[str], mapper: JobEventMapper) -> dict[str, Folded]:
    """Fold jobs that no cache holds, each from its snapshot if the snapshot can be read."""
    jobs: dict[str, Folded] = {}
    left = set(job_ids)
    while left:
        recalled = store.recall(left)
        # A read that ended at its bound may not have come to some jobs: they are recalled again,
        # because they have snapshots, too.
        reached = left & recalled.job_ids if recalled.is_full else left
        jobs |= _folded(store, recalled, reached, mapper)
        left = left - reached
    return jobs


def _folded(
    store: Recalling, recalled: Recalled, job_ids: Collection[str], mapper: JobEventMapper
) -> dict[str, Folded]:
    tails: dict[str, list[Stored]] = {job_id: [] for job_id in job_ids}
    for stored in recalled.tail:
        tails[str(stored.job_id)].append(stored)
    jobs = {job_id: Folded(ProvisioningJob(job_id)) for job_id in job_ids}
    unfinished = set(job_ids) if recalled.is_full else set()
    for snapshot in recalled.snapshots:
        job_id = snapshot.job_id
        if job := restore(snapshot, mapper):
            jobs[job_id] = Folded(job, job.version)
        else:
            log.info("job %r: its snapshot cannot be used; folding the whole history", job_id)
            tails[job_id] = []
            unfinished.add(job_id)
    for job_id in job_ids:
        jobs[job_id] = fold(jobs[job_id], tails[job_id], mapper)
    for job_id in unfinished:
        for page in pages_of(store.history, job_id, jobs[job_id].job.version):
            jobs[job_id] = fold(jobs[job_id], page, mapper)
    return jobs
