"""The instance: the present state of one job, as a page or a program reads it."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, TypeAlias, get_args

import msgspec

from domain.job.attempt.state import Attempt
from domain.job.events import CallbackRefused, Fact, JobEvent, JobQueued
from domain.job.runs import fold as runs_of_a_job
from domain.job.runs.state import Runs
from domain.workflows.definition import Workflows
from projections.views.shown_times import earliest, reached, shown_claim

InstanceStatus = Literal["pending", "provisioning", "running", "stopping", "stopped", "failed"]
InProgress: TypeAlias = Literal["pending", "provisioning"]
"""The statuses of a job in progress."""
INSTANCE_STATUSES: tuple[InstanceStatus, ...] = get_args(InstanceStatus)


class Refusal(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """When and why a callback was refused; `reason` is a word of a fixed list."""

    at: datetime
    reason: str
    detail: str | None = None


class Instance(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A job's present state. `first_position` orders jobs; `workflow` is `name@version`.

    `ahead_at` is the latest time of an earlier event, if it is later than that of the last event:
    another host's clock may be ahead. Else it is None. `refusals` counts refused callbacks.
    `used_elsewhere` is known of a present state alone, and of a job that names machines for
    removal; it is None where nobody knows. It has those that another job works or runs on, each
    with that job's id, or None if that job belongs to another user. No event or document has it: a
    reader adds it.
    """

    job_id: str
    version: int = 0
    position: int = 0
    first_position: int = 0
    agent_id: str | None = None
    user_id: str | None = None
    region: str | None = None
    workflow: str | None = None
    created_at: datetime | None = None
    queued_at: datetime | None = None
    updated_at: datetime | None = None
    ahead_at: datetime | None = None
    runs: Runs = Runs()
    refusals: int = 0
    last_refusal: Refusal | None = None
    used_elsewhere: dict[str, str | None] | None = None

    @property
    def attempt(self) -> Attempt:
        """The attempt that is shown."""
        return self.runs.present

    @property
    def watched(self) -> Attempt:
        """The attempt that has deadlines; see `Runs.watched`."""
        return self.runs.watched

    @property
    def waiting_since(self) -> datetime | None:
        """When the watched attempt began to wait for its workflow; None if nobody asked for it."""
        return self.watched.since or self.queued_at

    @property
    def expected_since(self) -> datetime | None:
        """When the shown attempt began to wait for its workflow; None if nobody asked for it."""
        return self.attempt.since or self.queued_at

    @property
    def floor(self) -> datetime | None:
        """The earliest time that anything of the job is shown with."""
        return earliest(self.created_at, self.queued_at)

    @property
    def status(self) -> InstanceStatus:
        """The instance's status, in the seed contract's words."""
        attempt = self.attempt
        status = attempt.status
        if status == "queued":
            return "pending"
        if status == "running" and attempt.stop_requested_at:
            return "stopping"
        return status

    @property
    def cancelled_while(self) -> InProgress | None:
        """The status in which the shown attempt was cancelled; None if it was not cancelled."""
        if self.attempt.outcome != "cancelled":
            return None
        return "provisioning" if shown_claim(self.attempt, self.floor) else "pending"

    @property
    def has_ended(self) -> bool:
        """True if nothing more is expected: the shown attempt has an end, and no stop is asked for.

        An operator's retry, or a late callback, may go on with the job all the same.
        """
        return self.attempt.outcome is not None and self.status != "stopping"

    @property
    def recorded_up_to(self) -> datetime | None:
        """The latest time at which an event so far was recorded."""
        return self.ahead_at or self.updated_at

    def current_step(self, workflows: Workflows) -> str | None:
        """The furthest known step of the attempt, else the latest unknown one.

        None before the first step and after the end.
        """
        attempt = self.attempt
        if attempt.status != "provisioning":
            return None
        steps = attempt.steps
        furthest = workflows.recorded(self.workflow).furthest(steps)
        return furthest or max(steps, key=lambda name: (steps[name].at, name), default=None)

    def failed_at_step(self, workflows: Workflows) -> str | None:
        """The known step that the attempt had reached when it failed."""
        final = self.attempt.final
        if final is None or final.status != "failed":
            return None
        workflow = workflows.recorded(self.workflow)
        steps = [*reached(self.attempt, self.floor), final.step or ""]
        return workflow.furthest(steps) or workflow.furthest([final.failed_step or ""])


def passed_over(instance: Instance, version: int, position: int) -> Instance:
    """Count an event that cannot be read or folded, and change nothing else."""
    return msgspec.structs.replace(
        instance,
        version=version,
        position=position,
        first_position=instance.first_position or position,
    )


def evolve(instance: Instance, event: JobEvent) -> Instance:
    """Fold one event; every event moves version and position on."""
    fact = event.fact
    if isinstance(fact, JobQueued | CallbackRefused):
        instance = _with(instance, fact)
        runs = instance.runs
    else:
        runs = runs_of_a_job.evolve(instance.runs, fact)
    # By position, because `msgspec.structs.replace` takes three times as long.
    return Instance(
        instance.job_id,
        event.originator_version,
        event.position,
        instance.first_position or event.position,
        instance.agent_id,
        instance.user_id,
        instance.region,
        instance.workflow,
        instance.created_at or fact.recorded_at,
        instance.queued_at,
        fact.recorded_at,
        _ahead(instance, fact),
        runs,
        instance.refusals,
        instance.last_refusal,
    )


def _with(instance: Instance, fact: JobQueued | CallbackRefused) -> Instance:
    if isinstance(fact, CallbackRefused):
        refusal = Refusal(fact.recorded_at, fact.reason, fact.detail)
        return msgspec.structs.replace(
            instance, refusals=instance.refusals + 1, last_refusal=refusal
        )
    if instance.queued_at is not None:
        return instance
    return msgspec.structs.replace(
        instance,
        agent_id=fact.agent_id,
        user_id=fact.user_id,
        region=fact.region,
        workflow=fact.workflow,
        queued_at=fact.recorded_at,
    )


def _ahead(instance: Instance, fact: Fact) -> datetime | None:
    latest = instance.recorded_up_to
    return latest if latest and latest > fact.recorded_at else None
