"""A mandate: the jobs that a sender may report on."""

from __future__ import annotations

import msgspec

from domain.job.events import JobQueued


class Mandate(msgspec.Struct, frozen=True, gc=False):
    """Lets a sender report on one job, once it is registered."""

    job_id: str

    def covers(self, job_id: str, queued: JobQueued | None) -> bool:
        """Tell whether the sender may report on a job that was registered like that, or not."""
        return queued is not None and job_id == self.job_id
