"""Folding stored events into jobs, from a snapshot on where there is one."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable

import msgspec
from eventsourcing.persistence import MapperDeserialisationError, StoredEvent

from domain.job.provisioning_job import ProvisioningJob, evolve
from domain.log.mapper import JobEventMapper
from domain.log.snapshots import EVERY, restore
from domain.log.store import Recalling

log = logging.getLogger("milepost")


class Folded(msgspec.Struct, frozen=True, gc=False):
    """A job as far as it is folded, and the version of its last snapshot that we know of.

    It is not `whole` once an event was passed over that could not be read.
    """

    job: ProvisioningJob
    snapshot_version: int = 0
    whole: bool = True

    @property
    def snapshot_due(self) -> bool:
        """True when a snapshot would spare the next reader many events."""
        # A later release may read what this one passed over, so that must not be sealed in.
        return self.whole and self.job.version - self.snapshot_version >= EVERY


def fold(folded: Folded, stored: Iterable[StoredEvent], mapper: JobEventMapper) -> Folded:
    """Fold events that come after; one that cannot be read is logged and passed over."""
    job, whole = folded.job, folded.whole
    for row in stored:
        try:
            job = evolve(job, mapper.to_domain_event(row))
        except MapperDeserialisationError as error:
            # An event that cannot be read must not stop the ones after it.
            log.warning("job %r, version %d: %s", job.id, row.originator_version, error)
            job = msgspec.structs.replace(job, version=row.originator_version)
            whole = False
    return Folded(job, folded.snapshot_version, whole)


def recall(store: Recalling, job_ids: Collection[str], mapper: JobEventMapper) -> dict[str, Folded]:
    """Fold jobs of which nothing is known, each from its snapshot if that can be read."""
    recalled = store.recall(job_ids)
    tails: dict[str, list[StoredEvent]] = {job_id: [] for job_id in job_ids}
    for stored in recalled.tail:
        tails[str(stored.originator_id)].append(stored)
    jobs = {job_id: Folded(ProvisioningJob(job_id)) for job_id in job_ids}
    for snapshot in recalled.snapshots:
        job_id = snapshot.job_id
        if job := restore(snapshot, mapper):
            jobs[job_id] = Folded(job, job.version)
        else:
            log.info("job %r: its snapshot cannot be used; folding the whole history", job_id)
            tails[job_id] = list(store.select_events(job_id))
    return {job_id: fold(job, tails[job_id], mapper) for job_id, job in jobs.items()}
