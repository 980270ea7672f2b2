"""Compare each stored snapshot of a job, from which decisions start, with the folded events."""

from __future__ import annotations

from collections.abc import Collection

import msgspec
from eventsourcing.persistence import MapperDeserialisationError

from domain.job.provisioning_job import ProvisioningJob, evolve
from domain.log.mapper import Decoded, JobEventMapper
from domain.log.recalling.snapshots import SHAPE, Snapshot, restore
from projections.comparing.differences import Difference, of_states
from projections.verification.findings import Finding, Report, shortened
from projections.verification.inspection.contract import Inspection


class _Followed(msgspec.Struct):
    """A job folded up to an event before the one of its snapshot."""

    snapshot: Snapshot
    job: ProvisioningJob


class JobSnapshots:
    """Folds each job that has a snapshot up to the snapshot's version, as a decision does.

    Two kinds are not compared: a snapshot of another shape, which this release does not use, and
    the snapshot of a job with an event that cannot be read.
    """

    def __init__(self, inspection: Inspection, mapper: JobEventMapper, report: Report) -> None:
        self._inspection = inspection
        self._mapper = mapper
        self._report = report
        self._followed: dict[str, _Followed] = {}

    def begin(self, job_ids: Collection[str]) -> None:
        """Look up the snapshots of jobs whose first events come next."""
        for snapshot in self._inspection.job_snapshots(job_ids):
            if snapshot.shape == SHAPE:
                self._followed[snapshot.job_id] = _Followed(
                    snapshot, ProvisioningJob(snapshot.job_id)
                )

    def follow(self, job_id: str, read: Decoded) -> None:
        """Fold a job's next events; report a snapshot that is not what they come to."""
        followed = self._followed.get(job_id)
        if followed is None:
            return None
        for stored, event in read:
            if isinstance(event, MapperDeserialisationError):
                return self.end([job_id])
            followed.job = evolve(followed.job, event)
            if stored.version == followed.snapshot.version:
                self._compare(followed, stored.position)
                return self.end([job_id])
        return None

    def end(self, job_ids: Collection[str]) -> None:
        """Forget these jobs. A snapshot that was not compared is newer, or its event is missing."""
        for job_id in job_ids:
            self._followed.pop(job_id, None)

    def _compare(self, followed: _Followed, position: int) -> None:
        snapshot, job = followed.snapshot, followed.job
        there = restore(snapshot, self._mapper)
        if there == job:
            return
        unreadable: Difference = (
            "state",
            "one of this job and version that can be read",
            "another",
        )
        for what, expected, found in of_states(job, there) if there else [unreadable]:
            self._report(
                Finding(
                    kind="snapshot",
                    position=position,
                    job_id=snapshot.job_id,
                    version=snapshot.version,
                    expected=f"snapshot {what} {shortened(expected)}, as the events have it",
                    found=shortened(found),
                )
            )
