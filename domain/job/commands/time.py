"""The command of the clock: give up a job that missed a deadline."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import msgspec

from domain.job.commands.contract import Decision
from domain.job.deadlines import ASKED_NOW, Question
from domain.job.keys.key import Key
from domain.job.provisioning_job import ProvisioningJob
from domain.workflows.definition import Workflows


class TimeOutJob(msgspec.Struct, frozen=True):
    """Fail the job if it missed a deadline of its workflow; otherwise change nothing."""

    job_id: str
    workflows: Workflows
    question: Question = ASKED_NOW
    names: tuple[str, ...] = ()

    def decide(self, job: ProvisioningJob, keys: Mapping[str, Key], now: datetime) -> Decision:
        workflow = self.workflows.recorded(job.queued.workflow if job.queued else None)
        return Decision(job.time_out(now, workflow, self.question))
