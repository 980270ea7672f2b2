"""The aggregate: what a provisioning job does next, decided from immutable state.

Deciding may refuse. Evolving never does.
"""

from __future__ import annotations

from collections.abc import Container
from datetime import datetime
from typing import Literal

import msgspec

from domain.errors import JobAlreadyRegistered, NothingToStop
from domain.job import deadlines
from domain.job.attempt.progress import MAX_STEPS
from domain.job.attempt.state import Attempt
from domain.job.callback import Callback, RefusedCallback
from domain.job.events import (
    AttemptCancelled,
    AttemptFailed,
    AttemptStarted,
    CallbackRefused,
    Fact,
    HeartbeatReceived,
    JobEvent,
    JobQueued,
    JobTimedOut,
    MachineStopped,
    Received,
    StatusReported,
    StepReported,
    StopRequested,
    TimeoutWithdrawn,
)
from domain.job.runs import fold as runs_of_a_job
from domain.job.runs import orders
from domain.job.runs.orders import Requested
from domain.job.runs.placing.belonging import Placement, place
from domain.job.runs.placing.removal import ran_before
from domain.job.runs.rollback import may_matter, rollback_of, rollbacks_of_others
from domain.job.runs.state import Runs
from domain.workflows.definition import Workflow

MAX_REFUSALS = 100
"""A job keeps at most this many refused callbacks; a sender may repeat one for ever."""


class ProvisioningJob(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """What decisions need to know of a job, folded from its events. At version 0 it has none."""

    id: str
    version: int = 0
    queued: JobQueued | None = None
    runs: Runs = Runs()
    refusals: int = 0

    @property
    def attempt(self) -> Attempt:
        """The attempt that is shown."""
        return self.runs.present

    @property
    def working(self) -> Attempt | None:
        """The attempt that is in progress; see `Runs.working`."""
        return self.runs.working

    @property
    def in_progress(self) -> bool:
        """True while the job is queued or provisioning."""
        return self.attempt.final is None

    def queue(self, fact: JobQueued) -> Outcome:
        """Register the job, before or after its first callback; raise `JobAlreadyRegistered`."""
        if self.queued:
            raise JobAlreadyRegistered
        return Outcome(self).then(fact)

    def report(
        self, callback: Callback, now: datetime, known_steps: Container[str] = ()
    ) -> Outcome:
        """Record a callback and decide what follows from it. This never refuses.

        `known_steps` are the steps of the job's definition.
        """
        facts = callback.facts(now)
        placement = place(self.runs, facts, self.queued.recorded_at if self.queued else None)
        outcome = Outcome(self)
        if placement.started:
            outcome = outcome.then(placement.started)
        elif placement.revives:
            outcome = outcome.then(TimeoutWithdrawn(recorded_at=now, attempt=placement.number))
        for fact in facts:
            outcome = outcome.then(outcome.job.placed(fact, placement, known_steps))
        if callback.status == "stopped":
            outcome = outcome.with_machine_gone(placement.number, callback.server_id, now)
        return outcome.with_rollbacks(now)

    def keep_refusal(self, refused: RefusedCallback, now: datetime) -> Outcome:
        """Record that a callback was refused, up to `MAX_REFUSALS` times."""
        outcome = Outcome(self)
        return outcome if self.refusals >= MAX_REFUSALS else outcome.then(refused.fact(now))

    def placed(self, fact: Received, placement: Placement, known_steps: Container[str]) -> Received:
        """Return a fact with what its fold must know, so that it never has to be decided again."""
        if self.runs.opened > 1 or placement.number != 1:
            fact = msgspec.structs.replace(fact, attempt=placement.number)
        attempt = self.runs.find(placement.number)
        if isinstance(fact, HeartbeatReceived) and attempt and attempt.is_claimed_by(fact):
            fact = msgspec.structs.replace(fact, claims=True)
        if isinstance(fact, StepReported):
            if attempt and len(attempt.steps) >= MAX_STEPS and fact.step in known_steps:
                fact = msgspec.structs.replace(fact, in_workflow=True)
        if isinstance(fact, StatusReported) and fact.status == "stopped":
            if attempt and attempt.other(fact.server_id):
                fact = msgspec.structs.replace(fact, other_machine=True)
        return fact

    def stop(self, requested: Requested) -> Outcome:
        """Ask the running instance to stop; raise `NothingToStop`."""
        if self.attempt.status != "running" or self.attempt.stop_requested_at:
            raise NothingToStop
        return Outcome(self).then(StopRequested(**requested._asdict()))

    def fail(self, requested: Requested, max_retries: int) -> Outcome:
        """End the attempt in progress as failed, for ever; raise `NotPossible`.

        Of this and the following orders, one that asks for what is so already has no event.
        """
        return self._ended("failed", AttemptFailed, requested, max_retries)

    def cancel(self, requested: Requested, max_retries: int) -> Outcome:
        """End the attempt in progress, because nobody wants its result; raise `NotPossible`."""
        return self._ended("cancelled", AttemptCancelled, requested, max_retries)

    def _ended(
        self,
        outcome: Literal["failed", "cancelled"],
        ended: type[AttemptFailed | AttemptCancelled],
        requested: Requested,
        max_retries: int,
    ) -> Outcome:
        attempt = orders.to_end(self.runs, outcome, max_retries)
        if attempt is None:
            return Outcome(self)
        fact = ended(attempt=attempt.number, **requested._asdict())
        return Outcome(self).then(fact).with_rollbacks(requested.recorded_at)

    def retry(self, requested: Requested, max_retries: int) -> Outcome:
        """Open an attempt that waits for its run; raise `NotPossible`."""
        if not orders.may_retry(self.runs, max_retries):
            return Outcome(self)
        number = self.runs.opened + 1
        started = AttemptStarted(number=number, because="retry", **requested._asdict())
        return Outcome(self).then(started)

    def confirm_stopped(
        self, requested: Requested, max_retries: int, server_id: str | None = None
    ) -> Outcome:
        """Record that the machine of an ended attempt is gone; raise `NotPossible`.

        Without `server_id`, only one machine may be meant, now and after that.
        """
        outcome = Outcome(self)
        meant = orders.to_confirm(self.runs, server_id, max_retries)
        for attempt, machine in meant:
            stopped = MachineStopped(
                attempt=attempt.number,
                server_id=machine if attempt.other(machine) else None,
                **requested._asdict(),
            )
            outcome = outcome.then(stopped)
        left = orders.machines_left(outcome.job.runs)
        if server_id is None and left:
            # The stopped attempt answered for them. The same order, given again, would mean them.
            raise orders.ambiguous(self.runs, [*meant, *left], max_retries)
        return outcome

    def time_out(
        self,
        now: datetime,
        workflow: Workflow | None = None,
        question: deadlines.Question = deadlines.ASKED_NOW,
    ) -> Outcome:
        """Fail the attempt if it missed a deadline of its workflow; otherwise change nothing."""
        if question.version not in (None, self.version):
            return Outcome(self)
        attempt = self.runs.watched
        waiting_since = attempt.since or (self.queued.recorded_at if self.queued else None)
        missed = deadlines.missed(workflow, attempt, waiting_since, question, now)
        if missed is None:
            return Outcome(self)
        timed_out = JobTimedOut(
            recorded_at=now,
            attempt=attempt.number,
            silent_since=attempt.silent_since or missed.since,
            error=missed.error(now),
            deadline=missed.kind,
            due_at=missed.at,
            held=question.held,
        )
        return Outcome(self).then(timed_out).with_rollbacks(now)


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

    def with_machine_gone(self, number: int, server_id: str | None, now: datetime) -> Outcome:
        """Stop the older attempts that run on the machine which is gone from this attempt."""
        outcome = self
        for attempt in ran_before(self.job.runs, number, server_id):
            other = server_id if attempt.other(server_id) else None
            stopped = MachineStopped(recorded_at=now, attempt=attempt.number, server_id=other)
            outcome = outcome.then(stopped)
        return outcome

    def with_rollbacks(self, now: datetime) -> Outcome:
        """Ask for the rollback of machines that failed attempts left; withdraw what is wanted."""
        if not any(may_matter(fact) for fact in self.facts):
            return self  # as for almost every callback
        outcome = self
        for attempt in self.job.runs.attempts:
            if attempt.final is None and not (attempt.rollback_requested_at or attempt.machines):
                continue
            fact = rollback_of(outcome.job.runs, attempt, self.facts, now)
            if fact:
                outcome = outcome.then(fact)
            if attempt.machines:
                for fact in rollbacks_of_others(outcome.job.runs, attempt.number, self.facts, now):
                    outcome = outcome.then(fact)
        return outcome


def evolve(job: ProvisioningJob, event: JobEvent) -> ProvisioningJob:
    """Fold one event. Every sequence of events can be folded."""
    fact, version = event.fact, event.originator_version
    if isinstance(fact, JobQueued):
        return msgspec.structs.replace(job, version=version, queued=job.queued or fact)
    if isinstance(fact, CallbackRefused):
        return msgspec.structs.replace(job, version=version, refusals=job.refusals + 1)
    runs = runs_of_a_job.evolve(job.runs, fact)
    return ProvisioningJob(job.id, version, job.queued, runs, job.refusals)
