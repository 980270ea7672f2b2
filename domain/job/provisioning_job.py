"""The aggregate: what a provisioning job may do next, decided from immutable state.

Deciding may refuse; evolving never does.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from domain.errors import JobAlreadyRegistered, NothingToStop
from domain.job import attempt as attempts
from domain.job.attempt import Attempt
from domain.job.callback import Callback
from domain.job.events import (
    AttemptStarted,
    Fact,
    JobEvent,
    JobQueued,
    JobTimedOut,
    Received,
    RollbackRequested,
    RollbackWithdrawn,
    StatusReported,
    StopRequested,
)

SILENCE_LIMIT_SECONDS = 900
"""A provisioning job that was silent for longer than this has failed (seed contract, "Jobs")."""

MAX_RETRIES = 3
"""How many retries a job is meant to have; callbacks of further ones are not refused."""


class ProvisioningJob(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """What decisions need to know of a job, folded from its events; version 0 has none."""

    id: str
    version: int = 0
    queued: JobQueued | None = None
    attempt: Attempt = Attempt()
    stop_requested: bool = False
    rollback_requested: bool = False

    @property
    def in_progress(self) -> bool:
        """True while the job is queued or provisioning."""
        return self.attempt.status in ("queued", "provisioning")

    def asks_for_its_turn(self, before: ProvisioningJob) -> bool:
        """Tell whether this job wants to be its user's job in progress, having been `before`.

        A retry gets that only if no other job of this user has it, and asks again with every
        callback, because that job may have ended.
        """
        return self.in_progress and (not before.has_its_turn or self.attempt.number > 1)

    def ends_its_turn(self, before: ProvisioningJob) -> bool:
        """Tell whether this job was in progress `before` and is no more."""
        return before.has_its_turn and not self.in_progress

    @property
    def has_its_turn(self) -> bool:
        """True while the job is registered and in progress."""
        return self.queued is not None and self.in_progress

    def queue(self, fact: JobQueued) -> list[Fact]:
        """Register the job, before or after its first callback."""
        if self.queued:
            raise JobAlreadyRegistered
        return [fact]

    def report(self, callback: Callback, now: datetime) -> list[Fact]:
        """Record a callback, and what it means that somebody else must act on. Never refuses."""
        facts: list[Fact] = []
        for fact in callback.facts(now):
            if isinstance(fact, StatusReported) and self._starts_again(fact):
                number = self.attempt.number + 1
                facts.append(
                    AttemptStarted(
                        recorded_at=now,
                        number=number,
                        occurred_at=fact.occurred_at,
                        workflow_run_id=fact.workflow_run_id,
                    )
                )
            facts.append(fact)
        return self._with_rollback(facts, now)

    def stop(self, requested_by: str | None, now: datetime) -> list[Fact]:
        """Ask the running instance to stop."""
        if self.attempt.status != "running" or self.stop_requested:
            raise NothingToStop
        return [StopRequested(recorded_at=now, requested_by=requested_by)]

    def time_out(self, now: datetime) -> list[Fact]:
        """Fail the attempt if it has been silent for too long; nothing if it has not."""
        since = self.attempt.silent_since
        if since is None:
            return []
        silence = (now - since).total_seconds()
        if silence <= SILENCE_LIMIT_SECONDS:
            return []
        error = f"Timeout: No heartbeat for {int(silence)}s"
        timed_out = JobTimedOut(
            recorded_at=now, attempt=self.attempt.number, silent_since=since, error=error
        )
        return self._with_rollback([timed_out], now)

    def warning(self, callback: Callback, facts: list[Fact]) -> str | None:
        """Say what is odd about a callback that was recorded, as these facts, all the same."""
        odd = [] if self.queued else [f"job {self.id!r} is not registered"]
        if ended := self.attempt.final:
            after = self.after(facts).attempt
            if after.number == self.attempt.number and after.final == ended:
                odd.append(f"job {self.id!r} is already {ended.status}, so this changes nothing")
                if ended.status == "failed" and callback.status == "provisioning" and callback.step:
                    odd.append("a provisioning status without a step starts the next attempt")
        return "; ".join(odd) or None

    def after(self, facts: list[Fact]) -> ProvisioningJob:
        """Return the job as it will be with these facts."""
        job = self
        for fact in facts:
            job = evolve(job, JobEvent(self.id, job.version + 1, fact))
        return job

    def _starts_again(self, fact: StatusReported) -> bool:
        return not self.attempt.precedes(fact) and self.attempt.reopens_on(fact)

    def _with_rollback(self, facts: list[Fact], now: datetime) -> list[Fact]:
        if self.attempt.final is None and not any(attempts.may_end(fact) for fact in facts):
            return facts
        after = self.after(facts)
        attempt = after.attempt
        if attempt.status == "running" and after.rollback_requested:
            return [*facts, RollbackWithdrawn(recorded_at=now, attempt=attempt.number)]
        if attempt.status != "failed" or after.rollback_requested or attempt.server_id is None:
            return facts
        if any(isinstance(fact, StatusReported) and fact.status == "running" for fact in facts):
            # Whatever became of the attempt, this machine says that it runs.
            return facts
        wanted = RollbackRequested(
            recorded_at=now,
            attempt=attempt.number,
            server_id=attempt.server_id.value,
            server_ip=attempt.server_ip.value if attempt.server_ip else None,
        )
        return [*facts, wanted]


def evolve(job: ProvisioningJob, event: JobEvent) -> ProvisioningJob:
    """Fold one event; total over every sequence of events."""
    fact, version = event.fact, event.originator_version
    match fact:
        case Received() if job.attempt.precedes(fact):
            return msgspec.structs.replace(job, version=version)
        case Received() | JobTimedOut():
            attempt = attempts.evolve(job.attempt, fact)
            return msgspec.structs.replace(job, version=version, attempt=attempt)
        case JobQueued():
            return msgspec.structs.replace(job, version=version, queued=job.queued or fact)
        case AttemptStarted():
            if fact.number <= job.attempt.number:
                return msgspec.structs.replace(job, version=version)
            return ProvisioningJob(
                job.id, version, job.queued, attempts.next_attempt(job.attempt, fact)
            )
        case StopRequested():
            return msgspec.structs.replace(job, version=version, stop_requested=True)
        case RollbackRequested():
            return msgspec.structs.replace(job, version=version, rollback_requested=True)
        case RollbackWithdrawn():
            return msgspec.structs.replace(job, version=version, rollback_requested=False)
        case _:
            return msgspec.structs.replace(job, version=version)
