"""One try of a job, as a pure fold.

Everything kept here merges: the earliest claim, the earliest sighting of each step, the earliest
final status, the latest word on the machine. Where the senders' clocks are known (`occurred_at`)
the order of arrival therefore does not matter; where they are not, the order of arrival decides.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

from domain.job.events import (
    AttemptStarted,
    Fact,
    HeartbeatReceived,
    JobTimedOut,
    Machine,
    Received,
    StatusReported,
    StepReported,
)

MAX_STEPS = 200
"""Distinct step names kept in an attempt's state; the events keep them all."""
MAX_EARLIER_RUNS = 10
"""How many earlier runs of a job are told apart by their ids."""


class Moment(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """When something happened, by the server's clock and, if it was told, the sender's."""

    recorded_at: datetime
    occurred_at: datetime | None = None

    @property
    def at(self) -> datetime:
        """The sender's time if known, else ours."""
        return self.occurred_at or self.recorded_at

    def surely_before(self, other: Moment) -> bool:
        """True when both senders' clocks are known and this one is earlier."""
        return bool(self.occurred_at and other.occurred_at and self.occurred_at < other.occurred_at)

    def surely_by(self, other: Moment) -> bool:
        """True when both senders' clocks are known and this one is not later."""
        return bool(
            self.occurred_at and other.occurred_at and self.occurred_at <= other.occurred_at
        )


class Word(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """The latest value somebody gave for a field."""

    value: str
    occurred_at: datetime | None = None


class Final(msgspec.Struct, frozen=True, gc=False, omit_defaults=True, kw_only=True):
    """How the attempt ended. `inferred` marks Milepost's own conclusion from silence."""

    status: Literal["running", "failed"]
    moment: Moment
    error: str | None = None
    step: str | None = None
    failed_step: str | None = None
    inferred: bool = False

    def yields_to(self, other: Final) -> bool:
        """True when `other` is the better account of the end."""
        if self.inferred != other.inferred:
            return self.inferred
        if not (self.moment.occurred_at and other.moment.occurred_at):
            return False
        return other._rank() < self._rank()

    def _rank(self) -> tuple[datetime, str, str, str, str]:
        # The earliest final status wins; the rest only makes ties independent of arrival.
        return (
            self.moment.at,
            self.status,
            self.error or "",
            self.step or "",
            self.failed_step or "",
        )


class Attempt(msgspec.Struct, frozen=True, gc=False, omit_defaults=True, kw_only=True):
    """The state of one try. `number` counts from 1."""

    number: int = 1
    opened_at: datetime | None = None
    earlier_run_ids: tuple[str, ...] = ()
    run_id: Word | None = None
    claim: Moment | None = None
    announced: bool = False
    heard_at: datetime | None = None
    steps: dict[str, Moment] = {}
    final: Final | None = None
    server_id: Word | None = None
    server_ip: Word | None = None
    tailscale_ip: Word | None = None

    @property
    def status(self) -> Literal["queued", "provisioning", "running", "failed"]:
        """`queued` until the workflow is heard of, then `provisioning` until the final status."""
        if self.final:
            return self.final.status
        return "provisioning" if self.claim else "queued"

    @property
    def claimed_at(self) -> datetime | None:
        """When the workflow took the job, unless it is known to have ended before."""
        if self.claim is None or (self.final and self.final.moment.surely_before(self.claim)):
            return None
        return self.claim.at

    @property
    def silent_since(self) -> datetime | None:
        """When the workflow was last heard of, by our clock; None unless it is provisioning."""
        if self.final or self.claim is None:
            return None
        return self.heard_at or self.claim.recorded_at

    @property
    def steps_reached(self) -> dict[str, Moment]:
        """The steps reported before the end, as far as the clocks can tell."""
        if self.final is None:
            return self.steps
        end = self.final.moment
        return {name: seen for name, seen in self.steps.items() if not end.surely_before(seen)}

    def reopens_on(self, fact: StatusReported) -> bool:
        """Tell whether this `provisioning` status is a retry, not a late or repeated first one."""
        if fact.status != "provisioning" or self.final is None or self.final.status != "failed":
            return False
        moment = Moment(fact.recorded_at, fact.occurred_at)
        if self.final.moment.surely_before(moment):
            return True
        if moment.surely_by(self.final.moment):
            return False
        if self._ran_as_another_than(fact):
            return True
        repeated = self.claim is not None and moment.surely_by(self.claim)
        return self.announced and not repeated

    def _ran_as_another_than(self, fact: Received) -> bool:
        known = self.run_id.value if self.run_id else None
        return bool(known and fact.workflow_run_id and fact.workflow_run_id != known)

    def precedes(self, fact: Received) -> bool:
        """Tell whether this callback was sent by an earlier attempt than this one."""
        if self.number == 1:
            return False
        run_id = fact.workflow_run_id
        if run_id in self.earlier_run_ids and self.run_id and run_id != self.run_id.value:
            return True
        return bool(fact.occurred_at and self.opened_at and fact.occurred_at < self.opened_at)


def evolve(attempt: Attempt, fact: Fact) -> Attempt:
    """Fold one fact into the attempt that it belongs to."""
    match fact:
        case StepReported():
            return _with_step(_with_machine(attempt, fact), fact.step, _moment(fact))
        case HeartbeatReceived():
            if attempt.final or attempt.claim is None:
                return attempt
            return msgspec.structs.replace(attempt, heard_at=fact.recorded_at)
        case StatusReported(status="provisioning"):
            return msgspec.structs.replace(
                _claimed(_with_machine(attempt, fact), _moment(fact)), announced=True
            )
        case StatusReported(status="running" | "failed" as status):
            return _ended(
                _with_machine(attempt, fact),
                Final(
                    status=status,
                    moment=_moment(fact),
                    error=fact.error if status == "failed" else None,
                    step=fact.step,
                    failed_step=fact.failed_step,
                ),
            )
        case Machine():
            return _with_machine(attempt, fact)
        case JobTimedOut() if fact.attempt == attempt.number:
            end = Moment(fact.recorded_at)
            return _ended(
                attempt, Final(status="failed", moment=end, error=fact.error, inferred=True)
            )
        case _:
            return attempt


def next_attempt(previous: Attempt, started: AttemptStarted) -> Attempt:
    """Open the attempt after `previous`."""
    run_id = started.workflow_run_id
    earlier = previous.earlier_run_ids
    if previous.run_id:
        earlier = (*earlier, previous.run_id.value)[-MAX_EARLIER_RUNS:]
    return Attempt(
        number=started.number,
        opened_at=started.occurred_at,
        earlier_run_ids=earlier,
        run_id=Word(run_id, started.occurred_at) if run_id else None,
    )


def _moment(fact: Received) -> Moment:
    return Moment(fact.recorded_at, fact.occurred_at)


def _claimed(attempt: Attempt, moment: Moment) -> Attempt:
    if attempt.claim is None or moment.surely_before(attempt.claim):
        return msgspec.structs.replace(attempt, claim=moment)
    return attempt


def _with_step(attempt: Attempt, step: str, moment: Moment) -> Attempt:
    if attempt.final and not moment.surely_by(attempt.final.moment):
        return attempt
    attempt = _claimed(attempt, moment)
    seen = attempt.steps.get(step)
    if seen is None and len(attempt.steps) >= MAX_STEPS:
        return attempt
    if seen is None or moment.surely_before(seen):
        return msgspec.structs.replace(attempt, steps=attempt.steps | {step: moment})
    return attempt


def _ended(attempt: Attempt, final: Final) -> Attempt:
    if attempt.final is None or attempt.final.yields_to(final):
        return msgspec.structs.replace(attempt, final=final)
    return attempt


def _with_machine(attempt: Attempt, fact: Machine) -> Attempt:
    changed: dict[str, Word] = {}
    for field, value in (
        ("server_id", fact.server_id),
        ("server_ip", fact.server_ip),
        ("tailscale_ip", fact.tailscale_ip),
        ("run_id", fact.workflow_run_id),
    ):
        if value:
            old: Word | None = getattr(attempt, field)
            if old and old.value == value and old.occurred_at == fact.occurred_at:
                continue  # almost every callback repeats what is known
            newest = _later(old, Word(value, fact.occurred_at))
            if newest is not old:
                changed[field] = newest
    return msgspec.structs.replace(attempt, **changed) if changed else attempt


def _later(old: Word | None, new: Word) -> Word:
    if old is None or not (old.occurred_at and new.occurred_at):
        return new
    return max(old, new, key=lambda word: (word.occurred_at, word.value))
