"""The command of the clock: time a silent job out."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import msgspec

from domain.job.commands.contract import Decision
from domain.job.keys import Key
from domain.job.provisioning_job import ProvisioningJob


class TimeOutJob(msgspec.Struct, frozen=True):
    """Fail the job if it has been silent for too long; otherwise change nothing."""

    job_id: str
    names: tuple[str, ...] = ()

    def decide(self, job: ProvisioningJob, keys: Mapping[str, Key], now: datetime) -> Decision:
        return Decision(job.time_out(now))
