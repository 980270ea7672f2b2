"""The commands of people: stop a running instance."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import msgspec

from domain.errors import JobNotFound
from domain.job.commands.contract import Decision
from domain.job.keys import Key
from domain.job.provisioning_job import ProvisioningJob


class StopJob(msgspec.Struct, frozen=True):
    """Ask the job's running instance to stop."""

    job_id: str
    requested_by: str | None
    names: tuple[str, ...] = ()

    def decide(self, job: ProvisioningJob, keys: Mapping[str, Key], now: datetime) -> Decision:
        if job.version == 0:
            raise JobNotFound
        return Decision(job.stop(self.requested_by, now))
