"""The commands that a job takes. Each decides from the job and from the keys that exist.

A command decides inside the transaction that appends its events, so no other process can change
what it sees.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from datetime import datetime
from typing import Protocol

import msgspec

from domain.errors import (
    AgentTaken,
    CallbackConflict,
    JobAlreadyRegistered,
    JobInProgress,
    JobNotFound,
    RegistrationConflict,
)
from domain.job.callback import Callback
from domain.job.deadlines import ASKED_NOW, Question
from domain.job.events import JobQueued
from domain.job.keys import Key, agent_key, callback_key, in_progress_key, registration_key
from domain.job.provisioning_job import Outcome, ProvisioningJob
from domain.workflows.definition import Workflows


class Decision(msgspec.Struct, frozen=True, gc=False):
    """The answer to a command: an outcome to store, or the earlier key that answers already."""

    outcome: Outcome
    earlier: Key | None = None
    warning: str | None = None


class Command(Protocol):
    """A request about one job. `names` are the names of the keys that it has to see."""

    @property
    def job_id(self) -> str: ...

    @property
    def names(self) -> tuple[str, ...]: ...

    def decide(self, job: ProvisioningJob, keys: Mapping[str, Key], now: datetime) -> Decision:
        """Decide, or raise a `Refused`."""
        ...


class RecordCallback(msgspec.Struct, frozen=True, gc=False):
    """Record a callback. A redelivery gets the first receipt.

    `workflows` are the loaded definitions; without them no step is known.
    """

    callback: Callback
    workflows: Workflows | None = None

    @property
    def job_id(self) -> str:
        return self.callback.job_id

    @property
    def names(self) -> tuple[str, ...]:
        callback_id = self.callback.callback_id
        return (callback_key(self.job_id, callback_id),) if callback_id else ()

    def decide(self, job: ProvisioningJob, keys: Mapping[str, Key], now: datetime) -> Decision:
        for name in self.names:
            if earlier := keys.get(name):
                if earlier.digest != (self.callback.digest or ""):
                    raise CallbackConflict
                return Decision(Outcome(job), earlier)
        outcome = job.report(self.callback, now, self._known_steps(job))
        return Decision(outcome, warning=job.warning(self.callback, outcome))

    def _known_steps(self, job: ProvisioningJob) -> Container[str]:
        if self.workflows is None:
            return ()
        return self.workflows.ranks(job.queued.workflow if job.queued else None)


class QueueJob(msgspec.Struct, frozen=True, kw_only=True):
    """Register a job. The same idempotency key with the same `digest` gets the same job.

    `owner` is the user that the caller's token is bound to. Each owner has idempotency keys apart.
    """

    job_id: str
    agent_id: str
    workflow: str
    user_id: str | None = None
    region: str = "us-east"
    idempotency_key: str | None = None
    digest: str | None = None
    requested_by: str | None = None
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
        if self.owner is not None and job.version > 0:
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
            idempotency_key=self.idempotency_key,
            requested_by=self.requested_by,
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


class StopJob(msgspec.Struct, frozen=True):
    """Ask the job's running instance to stop."""

    job_id: str
    requested_by: str | None
    names: tuple[str, ...] = ()

    def decide(self, job: ProvisioningJob, keys: Mapping[str, Key], now: datetime) -> Decision:
        if job.version == 0:
            raise JobNotFound
        return Decision(job.stop(self.requested_by, now))


class TimeOutJob(msgspec.Struct, frozen=True):
    """Fail the job if it missed a deadline of its workflow; otherwise change nothing."""

    job_id: str
    workflows: Workflows
    question: Question = ASKED_NOW
    names: tuple[str, ...] = ()

    def decide(self, job: ProvisioningJob, keys: Mapping[str, Key], now: datetime) -> Decision:
        workflow = self.workflows.recorded(job.queued.workflow if job.queued else None)
        return Decision(job.time_out(now, workflow, self.question))
