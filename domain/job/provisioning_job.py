"""The aggregate: what a provisioning job does next, decided from immutable state.

Deciding may refuse. Evolving never does.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from domain.errors import JobAlreadyRegistered, NothingToStop
from domain.job import attempt as attempts
from domain.job import deadlines
from domain.job.attempt import Attempt
from domain.job.callback import Callback
from domain.job.events import (
    AttemptStarted,
    Fact,
    HeartbeatReceived,
    JobEvent,
    JobQueued,
    JobTimedOut,
    Received,
    RollbackRequested,
    RollbackWithdrawn,
    StatusReported,
    StopRequested,
)
from domain.workflows.definition import Workflow

MAX_RETRIES = 3
"""How many retries a job is meant to have; callbacks of further ones are not refused."""


class ProvisioningJob(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """What decisions need to know of a job, folded from its events. At version 0 it has none."""

    id: str
    version: int = 0
    queued: JobQueued | None = None
    attempt: Attempt = Attempt()
    stop_requested: bool = False
    rollback_requested: bool = False

    @property
    def in_progress(self) -> bool:
        """True while the job is queued or provisioning."""
        return self.attempt.final is None

    def queue(self, fact: JobQueued) -> Outcome:
        """Register the job, before or after its first callback; raise `JobAlreadyRegistered`."""
        if self.queued:
            raise JobAlreadyRegistered
        return Outcome(self).then(fact)

    def report(self, callback: Callback, now: datetime) -> Outcome:
        """Record a callback and decide what follows from it. This never refuses."""
        outcome = Outcome(self)
        for fact in callback.facts(now):
            if isinstance(fact, HeartbeatReceived) and not self.attempt.precedes(fact):
                fact = msgspec.structs.replace(fact, claims=self.attempt.is_claimed_by(fact))
            if isinstance(fact, StatusReported) and self._starts_again(fact):
                outcome = outcome.then(
                    AttemptStarted(
                        recorded_at=now,
                        number=self.attempt.number + 1,
                        occurred_at=fact.occurred_at,
                        workflow_run_id=fact.workflow_run_id,
                    )
                )
            outcome = outcome.then(fact)
        return outcome.with_rollback(now)

    def stop(self, requested_by: str | None, now: datetime) -> Outcome:
        """Ask the running instance to stop; raise `NothingToStop`."""
        if self.attempt.status != "running" or self.stop_requested:
            raise NothingToStop
        return Outcome(self).then(StopRequested(recorded_at=now, requested_by=requested_by))

    def time_out(
        self,
        now: datetime,
        workflow: Workflow | None = None,
        question: deadlines.Question = deadlines.ASKED_NOW,
    ) -> Outcome:
        """Fail the attempt if it missed a deadline of its workflow; otherwise change nothing."""
        if question.version not in (None, self.version):
            return Outcome(self)
        waiting_since = self.queued.recorded_at if self.queued else None
        missed = deadlines.missed(workflow, self.attempt, waiting_since, question, now)
        if missed is None:
            return Outcome(self)
        timed_out = JobTimedOut(
            recorded_at=now,
            attempt=self.attempt.number,
            silent_since=self.attempt.silent_since or missed.since,
            error=missed.error(now),
            deadline=missed.kind,
            due_at=missed.at,
            held=question.held,
        )
        return Outcome(self).then(timed_out).with_rollback(now)

    def warning(self, callback: Callback, outcome: Outcome) -> str | None:
        """Say what is odd about a callback that was recorded with this outcome all the same."""
        odd = [] if self.queued else [f"job {self.id!r} is not registered"]
        if ended := self.attempt.final:
            after = outcome.job.attempt
            if after.number == self.attempt.number and after.final == ended:
                odd.append(f"job {self.id!r} is already {ended.status}, so this changes nothing")
                if ended.status == "failed" and callback.status == "provisioning" and callback.step:
                    odd.append("a provisioning status without a step starts the next attempt")
        return "; ".join(odd) or None

    def _starts_again(self, fact: StatusReported) -> bool:
        return not self.attempt.precedes(fact) and self.attempt.reopens_on(fact)


class Outcome(msgspec.Struct, frozen=True, gc=False):
    """What was decided about a job: the new events, and the job after them."""

    job: ProvisioningJob
    events: tuple[JobEvent, ...] = ()

    @property
    def facts(self) -> list[Fact]:
        """The facts of the new events."""
        return [event.fact for event in self.events]

    def then(self, fact: Fact) -> Outcome:
        """Return the outcome with one more fact, and fold that fact."""
        event = JobEvent(self.job.id, self.job.version + 1, fact)
        return Outcome(evolve(self.job, event), (*self.events, event))

    def with_rollback(self, now: datetime) -> Outcome:
        """Ask for a rollback if the attempt failed, or withdraw one if its machine runs."""
        job, attempt = self.job, self.job.attempt
        if attempt.final is None:
            return self
        if attempt.status == "running" and job.rollback_requested:
            return self.then(RollbackWithdrawn(recorded_at=now, attempt=attempt.number))
        if attempt.status != "failed" or job.rollback_requested or attempt.server_id is None:
            return self
        if any(isinstance(f, StatusReported) and f.status == "running" for f in self.facts):
            # The attempt stays failed, but its machine says that it runs.
            return self
        return self.then(
            RollbackRequested(
                recorded_at=now,
                attempt=attempt.number,
                server_id=attempt.server_id.value,
                server_ip=attempt.server_ip.value if attempt.server_ip else None,
            )
        )


def evolve(job: ProvisioningJob, event: JobEvent) -> ProvisioningJob:
    """Fold one event. Every sequence of events can be folded."""
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
