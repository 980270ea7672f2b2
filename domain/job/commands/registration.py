"""The command of who dispatches a workflow: register its job."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import msgspec

from domain.errors import (
    AgentTaken,
    JobAlreadyRegistered,
    JobInProgress,
    RegistrationConflict,
)
from domain.job.commands.contract import Decision
from domain.job.events import JobQueued
from domain.job.keys.key import Key, agent_key, in_progress_key, registration_key
from domain.job.provisioning_job import Outcome, ProvisioningJob


class QueueJob(msgspec.Struct, frozen=True, kw_only=True):
    """Register a job. The same idempotency key with the same `digest` gets the same job.

    `owner` is the user that the caller's token is bound to. Each owner has idempotency keys apart.
    """

    job_id: str
    agent_id: str
    workflow: str
    workflow_digest: str | None = None
    user_id: str | None = None
    region: str = "us-east"
    idempotency_key: str | None = None
    digest: str | None = None
    requested_by: str | None = None
    token_id: str | None = None
    owner: str | None = None

    @property
    def names(self) -> tuple[str, ...]:
        asked = (self._request, self._in_progress, agent_key(self.agent_id))
        return tuple(name for name in asked if name)

    @property
    def _request(self) -> str:
        key = self.idempotency_key
        return registration_key(self.owner, key) if key else ""

    @property
    def _in_progress(self) -> str:
        return in_progress_key(self.user_id) if self.user_id else ""

    def decide(self, job: ProvisioningJob, keys: Mapping[str, Key], now: datetime) -> Decision:
        if earlier := keys.get(self._request):
            if earlier.digest != (self.digest or ""):
                raise RegistrationConflict
            return Decision(Outcome(job), earlier)
        if self.owner is not None and job.version > job.refusals:
            # Another user's workflow may have sent the first callbacks of this job.
            raise JobAlreadyRegistered
        if (agent := keys.get(agent_key(self.agent_id))) and not self._may_take(agent):
            raise AgentTaken
        queued = JobQueued(
            recorded_at=now,
            agent_id=self.agent_id,
            user_id=self.user_id,
            region=self.region,
            workflow=self.workflow,
            workflow_digest=self.workflow_digest,
            idempotency_key=self.idempotency_key,
            requested_by=self.requested_by,
            token_id=self.token_id,
            owner=self.owner,
            digest=self.digest,
        )
        outcome = job.queue(queued)
        if self._in_progress in keys and job.in_progress:
            raise JobInProgress.of(keys[self._in_progress].job_id)
        return Decision(outcome)

    def _may_take(self, agent: Key) -> bool:
        # The digest of an agent's key is its user. An agent without a user can be given to one,
        # but a token that is bound to this user cannot give it.
        if agent.digest == (self.user_id or ""):
            return True
        return agent.digest == "" and self.owner is None
