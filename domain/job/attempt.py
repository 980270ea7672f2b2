"""One attempt of a job, as a pure fold.

Every part of the state merges: the earliest claim, the earliest report of each step, the earliest
final status, the latest values of the machine. Where the callbacks carry their senders' clocks
(`occurred_at`), the order of arrival therefore does not matter. Without them, it decides.
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
"""An attempt's state holds at most this many distinct step names; the events hold all of them."""
MAX_EARLIER_RUNS = 10
"""An attempt remembers the ids of at most this many earlier runs of its job."""


class Timestamp(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """When something happened, by the server's clock and, if the callback said it, the sender's."""

    recorded_at: datetime
    occurred_at: datetime | None = None

    @property
    def at(self) -> datetime:
        """The sender's time if it is known, else the server's."""
        return self.occurred_at or self.recorded_at

    def surely_before(self, other: Timestamp) -> bool:
        """True when both senders' times are known and this one is earlier."""
        return bool(self.occurred_at and other.occurred_at and self.occurred_at < other.occurred_at)

    def surely_by(self, other: Timestamp) -> bool:
        """True when both senders' times are known and this one is not later."""
        return bool(
            self.occurred_at and other.occurred_at and self.occurred_at <= other.occurred_at
        )


class ReportedValue(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """The latest value that a callback gave for a field."""

    value: str
    occurred_at: datetime | None = None


class Final(msgspec.Struct, frozen=True, gc=False, omit_defaults=True, kw_only=True):
    """How the attempt ended. `inferred` means that Milepost concluded it from the job's silence."""

    status: Literal["running", "failed"]
    moment: Timestamp
    error: str | None = None
    step: str | None = None
    failed_step: str | None = None
    inferred: bool = False

    def yields_to(self, other: Final) -> bool:
        """Tell whether `other` replaces this final status.

        A reported status replaces an inferred one. Of two reported ones, the earlier one wins.
        """
        if self.inferred != other.inferred:
            return self.inferred
        if not (self.moment.occurred_at and other.moment.occurred_at):
            return False
        return other._rank() < self._rank()

    def _rank(self) -> tuple[datetime, str, str, str, str]:
        # The earliest final status wins. The other fields break ties without regard to arrival.
        return (
            self.moment.at,
            self.status,
            self.error or "",
            self.step or "",
            self.failed_step or "",
        )


class Attempt(msgspec.Struct, frozen=True, gc=False, omit_defaults=True, kw_only=True):
    """The state of one attempt. `number` counts from 1."""

    number: int = 1
    opened_at: datetime | None = None
    earlier_run_ids: tuple[str, ...] = ()
    run_id: ReportedValue | None = None
    claim: Timestamp | None = None
    announced: bool = False
    heard_at: datetime | None = None
    steps: dict[str, Timestamp] = {}
    final: Final | None = None
    server_id: ReportedValue | None = None
    server_ip: ReportedValue | None = None
    tailscale_ip: ReportedValue | None = None

    @property
    def status(self) -> Literal["queued", "provisioning", "running", "failed"]:
        """`queued` until the workflow reports, then `provisioning` until the final status."""
        if self.final:
            return self.final.status
        return "provisioning" if self.claim else "queued"

    @property
    def claimed_at(self) -> datetime | None:
        """When the workflow claimed the job; None if the attempt surely ended before that."""
        if self.claim is None or (self.final and self.final.moment.surely_before(self.claim)):
            return None
        return self.claim.at

    @property
    def silent_since(self) -> datetime | None:
        """When the workflow last reported, by our clock; None unless it is provisioning."""
        if self.final or self.claim is None:
            return None
        return self.heard_at or self.claim.recorded_at

    @property
    def steps_reached(self) -> dict[str, Timestamp]:
        """The steps that were reached before the end; steps of unknown order count as reached."""
        if self.final is None:
            return self.steps
        end = self.final.moment
        return {name: seen for name, seen in self.steps.items() if not end.surely_before(seen)}

    def reopens_on(self, fact: StatusReported) -> bool:
        """Tell whether this `provisioning` status starts a retry, not repeats the first one."""
        if fact.status != "provisioning" or self.final is None or self.final.status != "failed":
            return False
        moment = Timestamp(fact.recorded_at, fact.occurred_at)
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

    def is_claimed_by(self, fact: HeartbeatReceived) -> bool:
        """Tell whether this heartbeat is the attempt's first sign of life.

        The senders' clocks tell, if they are known. So the order of arrival does not matter then.
        """
        moment = Timestamp(fact.recorded_at, fact.occurred_at)
        if self.final and not moment.surely_by(self.final.moment):
            return False
        return self.claim is None or moment.surely_before(self.claim)

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
            if fact.claims:
                attempt = _claimed(attempt, _moment(fact))
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
            end = Timestamp(fact.recorded_at)
            return _ended(
                attempt, Final(status="failed", moment=end, error=fact.error, inferred=True)
            )
        case _:
            return attempt


def next_attempt(previous: Attempt, started: AttemptStarted) -> Attempt:
    """Return the attempt that this event starts after `previous`."""
    run_id = started.workflow_run_id
    earlier = previous.earlier_run_ids
    if previous.run_id:
        earlier = (*earlier, previous.run_id.value)[-MAX_EARLIER_RUNS:]
    return Attempt(
        number=started.number,
        opened_at=started.occurred_at,
        earlier_run_ids=earlier,
        run_id=ReportedValue(run_id, started.occurred_at) if run_id else None,
    )


def _moment(fact: Received) -> Timestamp:
    return Timestamp(fact.recorded_at, fact.occurred_at)


def _claimed(attempt: Attempt, moment: Timestamp) -> Attempt:
    if attempt.claim is None or moment.surely_before(attempt.claim):
        return msgspec.structs.replace(attempt, claim=moment)
    return attempt


def _with_step(attempt: Attempt, step: str, moment: Timestamp) -> Attempt:
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
    changed: dict[str, ReportedValue] = {}
    for field, value in (
        ("server_id", fact.server_id),
        ("server_ip", fact.server_ip),
        ("tailscale_ip", fact.tailscale_ip),
        ("run_id", fact.workflow_run_id),
    ):
        if value:
            old: ReportedValue | None = getattr(attempt, field)
            if old and old.value == value and old.occurred_at == fact.occurred_at:
                continue  # almost every callback repeats what is known
            newest = _later(old, ReportedValue(value, fact.occurred_at))
            if newest is not old:
                changed[field] = newest
    return msgspec.structs.replace(attempt, **changed) if changed else attempt


def _later(old: ReportedValue | None, new: ReportedValue) -> ReportedValue:
    if old is None or not (old.occurred_at and new.occurred_at):
        return new
    return max(old, new, key=lambda word: (word.occurred_at, word.value))
