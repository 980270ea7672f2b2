"""A job that hears one callback a minute, and the rollbacks that it asks for."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from domain.job.callback import Callback
from domain.job.events import RollbackRequested, RollbackWithdrawn
from domain.job.provisioning_job import Outcome, ProvisioningJob
from tests.support.stores.deployment import NOON


class Story:
    """A job's story from `begins` on.

    `rolled_back` has the machine of every rollback that was asked for, `wanted_gone` the attempt
    and the machine of each one that was not withdrawn.
    """

    def __init__(self, begins: datetime = NOON) -> None:
        self.now = begins
        self.job = ProvisioningJob("job")
        self.rolled_back: list[str | None] = []
        self.wanted_gone: list[tuple[int, str | None]] = []

    def hear(self, *, at: float | None = None, **said: Any) -> None:
        """Record a callback; `at` is the sender's time, in minutes from noon."""
        self.now += timedelta(minutes=1)
        if at is not None:
            said["occurred_at"] = NOON + timedelta(minutes=at)
        self._take(self.job.report(Callback(job_id="job", **said), self.now))

    def wait(self) -> None:
        """Hear nothing for 16 minutes."""
        self.now += timedelta(minutes=16)
        self._take(self.job.time_out(self.now))

    @property
    def shown(self) -> tuple[str, str | None]:
        """The status that is shown, and the machine."""
        machine = self.job.attempt.server_id
        return self.job.attempt.status, machine.value if machine else None

    def _take(self, outcome: Outcome) -> None:
        self.job = outcome.job
        for fact in outcome.facts:
            if isinstance(fact, RollbackRequested):
                self.rolled_back.append(fact.server_id)
                self.wanted_gone.append((fact.attempt, fact.server_id))
            if isinstance(fact, RollbackWithdrawn):
                self.wanted_gone = [each for each in self.wanted_gone if each[0] != fact.attempt]


SILENCE: dict[str, Any] = {}
STEP: dict[str, Any] = {"status": "provisioning", "step": "vm_created"}
FIRST: dict[str, Any] = {"status": "failed", "workflow_run_id": "7", "error": "first"}


def told(*words: dict[str, Any]) -> ProvisioningJob:
    """Return a job after these callbacks, which come one a minute; `at` is a sender's minute."""
    job, now = ProvisioningJob("job"), NOON
    for word in words:
        if word == SILENCE:
            now += timedelta(minutes=16)
            job = job.time_out(now).job
            continue
        now += timedelta(minutes=1)
        said = dict(word)
        if "at" in said:
            said["occurred_at"] = NOON + timedelta(minutes=said.pop("at"))
        job = job.report(Callback(job_id="job", **said), now).job
    return job
