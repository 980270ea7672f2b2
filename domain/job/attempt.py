"""One attempt of a job, as a pure fold.

Every part of the state merges: the earliest claim, the earliest report of each step, the earliest
final status, the latest values of the machine. Where the callbacks carry their senders' clocks
(`occurred_at`), the order of arrival therefore does not matter. Without them, it decides.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Literal

import msgspec

from domain.job.events import (
    AttemptCancelled,
    AttemptFailed,
    DeadlineKind,
    Fact,
    HeartbeatReceived,
    JobTimedOut,
    Machine,
    MachineStopped,
    MetadataReported,
    Received,
    RollbackRequested,
    RollbackWithdrawn,
    StatusReported,
    StepReported,
    StopRequested,
    TimeoutWithdrawn,
)
from domain.job.long_text import MAX_KEPT, kept

MAX_STEPS = 200
"""An attempt's state holds at most this many distinct step names, and those of its definition."""
MAX_LEAD = timedelta(seconds=60)
"""A sender's time further ahead of ours than this is no evidence of what happened when."""
SKEW_SECONDS = 60
"""A smaller difference between a sender's clock and ours is not worth a word."""

Status = Literal["queued", "provisioning", "running", "stopped", "failed"]
Outcome = Literal["running", "failed", "cancelled", "timed_out", "stopped"]


class Timestamp(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """When something happened, by the server's clock and, if the callback said it, the sender's.

    `again_at` is the sender's time of the last word that said so again, where no word names a run.
    """

    recorded_at: datetime
    occurred_at: datetime | None = None
    again_at: datetime | None = None

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
    """The latest value that a callback gave for a field.

    `runs` means that the callback said `running`. Only another `running` can replace such a value.
    """

    value: str
    occurred_at: datetime | None = None
    runs: bool = False


class Final(msgspec.Struct, frozen=True, gc=False, omit_defaults=True, kw_only=True):
    """How the attempt ended.

    `inferred` means that Milepost concluded it from a `deadline` that was missed, `ordered` that an
    operator ended the attempt. A `cancelled` attempt has the status `failed`. An `unnamed` end was
    reported by a word that named no run, so it may have been another run's. Of a long `error`, only
    head and tail are kept.
    """

    status: Literal["running", "failed"]
    moment: Timestamp
    error: str | None = None
    step: str | None = None
    failed_step: str | None = None
    inferred: bool = False
    deadline: DeadlineKind | None = None
    ordered: bool = False
    cancelled: bool = False
    unnamed: bool = False

    def yields_to(self, other: Final) -> bool:
        """Tell whether `other` replaces this final status.

        An operator's word stands. A reported status replaces an inferred one. Of two reported
        ones, the earlier one wins.
        """
        if self.ordered or other.ordered:
            return self.inferred
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
    """The state of one attempt. `number` counts from 1, in the order of opening.

    `since` is when Milepost opened it, `opened_at` the sender's time of the word that did. It has
    `begun` if a run that works opened it, `reruns` an earlier one under the same name or none, and
    is `wanted` if an operator asked for it. Its run is
    older than that of the attempt `before`, if that is given.
    `replaced` and `earlier_run_ids` come from events of the first release, in which a new attempt
    ended the story of all earlier ones. `evidence_at` and `failure_at` are the latest senders'
    times of words that work goes on and of failures. `claims_machine` means that a word which names
    the run named the machine. `rolled_back` is the machine that
    an open rollback names. `passed_on` means that the machine of the failed attempt said that it
    runs, or that another run works on it. `skew_seconds` is the largest difference of the senders'
    clocks to ours, above `SKEW_SECONDS`.
    """

    number: int = 1
    since: datetime | None = None
    opened_at: datetime | None = None
    before: int | None = None
    begun: bool = False
    reruns: bool = False
    wanted: bool = False
    replaced: bool = False
    earlier_run_ids: tuple[str, ...] = ()
    run_id: ReportedValue | None = None
    run_attempt: int | None = None
    claim: Timestamp | None = None
    announced: bool = False
    heard_at: datetime | None = None
    evidence_at: datetime | None = None
    failure_at: datetime | None = None
    steps: dict[str, Timestamp] = {}
    final: Final | None = None
    revived: bool = False
    server_id: ReportedValue | None = None
    server_ip: ReportedValue | None = None
    tailscale_ip: ReportedValue | None = None
    claims_machine: bool = False
    stop_requested_at: datetime | None = None
    stopped_at: datetime | None = None
    rollback_requested_at: datetime | None = None
    rolled_back: str | None = None
    passed_on: bool = False
    skew_seconds: int | None = None

    @property
    def status(self) -> Status:
        """`queued` until the workflow reports, then `provisioning` until the final status."""
        if self.final:
            if self.final.status == "running" and self.stopped_at:
                return "stopped"
            return self.final.status
        return "provisioning" if self.claim else "queued"

    @property
    def outcome(self) -> Outcome | None:
        """How the attempt ended, more exactly than its status; None while it is in progress."""
        if self.final is None:
            return None
        if self.final.status == "running":
            return "stopped" if self.stopped_at else "running"
        if self.final.cancelled:
            return "cancelled"
        return "timed_out" if self.final.inferred else "failed"

    @property
    def rollback_is_open(self) -> bool:
        """True from the request to remove the machine until somebody confirms that it is gone."""
        return self.rollback_requested_at is not None and self.stopped_at is None

    @property
    def has_begun(self) -> bool:
        """True once its workflow has said that it works, or an operator has asked for it."""
        return bool(self.begun or self.claim or (self.final and self.final.status == "running"))

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
        """The steps that were reached in the attempt; steps of unknown order count as reached."""
        steps = self.steps
        if self.final is None:
            return steps
        end = self.final.moment
        return {name: seen for name, seen in steps.items() if not end.surely_before(seen)}

    @property
    def machine_id(self) -> str | None:
        """The id of the attempt's machine: the one that a rollback names, else the latest."""
        return self.rolled_back or (self.server_id.value if self.server_id else None)

    def is_machine(self, server_id: str | None) -> bool:
        """Tell whether the attempt's machine has this id."""
        return bool(server_id and self.machine_id == server_id)

    def is_claimed_by(self, fact: HeartbeatReceived) -> bool:
        """Tell whether this heartbeat is the attempt's first sign of life.

        The senders' clocks tell, if they are known. So the order of arrival does not matter then.
        """
        moment = Timestamp(fact.recorded_at, fact.occurred_at)
        if self.final and not moment.surely_by(self.final.moment):
            return False
        return self.claim is None or moment.surely_before(self.claim)


def cut_off(attempt: Attempt, before: datetime) -> Attempt:
    """Return the attempt as one that opened at that time: with nothing dated before it."""

    def is_cut(time: datetime | None) -> bool:
        return time is not None and whole_seconds(time) < whole_seconds(before)

    steps: dict[str, Timestamp] = {}
    for name, seen in attempt.steps.items():
        if not is_cut(seen.occurred_at):
            steps[name] = seen
        elif seen.again_at and not is_cut(seen.again_at):
            steps[name] = Timestamp(seen.recorded_at, seen.again_at)
    changed: dict[str, Any] = {"opened_at": before, "steps": steps}
    for field in ("server_id", "server_ip", "tailscale_ip"):
        word: ReportedValue | None = getattr(attempt, field)
        if word and is_cut(word.occurred_at):
            changed[field] = None
    return msgspec.structs.replace(attempt, **changed)


def whole_seconds(time: datetime) -> datetime:
    """Cut a time to whole seconds: not every sender writes fractions."""
    return time.replace(microsecond=0)


def clock_of(fact: Received) -> datetime | None:
    """Return the sender's time of a fact if it can be evidence: not far ahead of our time."""
    time = fact.occurred_at
    return time if time and time - fact.recorded_at <= MAX_LEAD else None


def evolve(attempt: Attempt, fact: Fact) -> Attempt:
    """Fold one fact into the attempt that it belongs to."""
    match fact:
        case Received():
            return _heard(_skewed(attempt, fact), fact)
        case JobTimedOut():
            return _ended(
                attempt,
                Final(
                    status="failed",
                    moment=Timestamp(fact.recorded_at),
                    error=fact.error,
                    inferred=True,
                    deadline=fact.deadline,
                ),
            )
        case TimeoutWithdrawn():
            if attempt.final is None or not attempt.final.inferred:
                return attempt
            return msgspec.structs.replace(
                attempt, final=None, revived=True, heard_at=fact.recorded_at
            )
        case AttemptFailed() | AttemptCancelled():
            return _ended(
                attempt,
                Final(
                    status="failed",
                    moment=Timestamp(fact.recorded_at),
                    error=fact.reason or _ordered_by(fact),
                    ordered=True,
                    cancelled=isinstance(fact, AttemptCancelled),
                ),
            )
        case MachineStopped():
            return _stopped(attempt, fact.recorded_at)
        case StopRequested():
            return msgspec.structs.replace(attempt, stop_requested_at=fact.recorded_at)
        case RollbackRequested():
            return msgspec.structs.replace(
                attempt, rollback_requested_at=fact.recorded_at, rolled_back=fact.server_id
            )
        case RollbackWithdrawn():
            return msgspec.structs.replace(
                attempt,
                rollback_requested_at=None,
                rolled_back=None,
                passed_on=attempt.status == "failed",
            )
        case _:
            return attempt


def _ordered_by(fact: AttemptFailed | AttemptCancelled) -> str:
    ended = "Cancelled" if isinstance(fact, AttemptCancelled) else "Ended as failed"
    return f"{ended} by {fact.requested_by or 'an operator'}, without a reason."


def _heard(attempt: Attempt, fact: Received) -> Attempt:
    match fact:
        case StepReported():
            attempt = _working(_with_machine(attempt, fact), fact)
            return _with_step(attempt, fact)
        case HeartbeatReceived():
            if fact.claims:
                attempt = _claimed(attempt, _moment(fact))
                if fact.workflow_run_id and attempt.run_id is None:
                    run_id = ReportedValue(fact.workflow_run_id, fact.occurred_at)
                    attempt = msgspec.structs.replace(
                        attempt, run_id=run_id, run_attempt=fact.run_attempt
                    )
            if attempt.final or attempt.claim is None:
                return attempt
            return msgspec.structs.replace(attempt, heard_at=fact.recorded_at)
        case StatusReported(status="provisioning"):
            attempt = _working(_with_machine(attempt, fact), fact)
            return msgspec.structs.replace(_claimed(attempt, _moment(fact)), announced=True)
        case StatusReported(status="stopped"):
            return _stopped(_with_machine(attempt, fact), fact.recorded_at)
        case StatusReported():
            return _reported_end(_with_machine(attempt, fact), fact)
        case Machine():
            return _with_machine(attempt, fact)
        case _:
            return attempt


def _reported_end(attempt: Attempt, fact: StatusReported) -> Attempt:
    is_running = fact.status == "running"
    if is_running:
        attempt = _working(attempt, fact)
    elif (time := fact.occurred_at) and (not attempt.failure_at or time > attempt.failure_at):
        attempt = msgspec.structs.replace(attempt, failure_at=time)
    return _ended(
        attempt,
        Final(
            status="running" if is_running else "failed",
            moment=_moment(fact),
            error=None if is_running else fact.error,
            step=fact.step,
            failed_step=fact.failed_step,
            cancelled=fact.status == "cancelled",
            unnamed=fact.workflow_run_id is None,
        ),
    )


def _stopped(attempt: Attempt, at: datetime) -> Attempt:
    changed: dict[str, Any] = {"stopped_at": attempt.stopped_at or at}
    if attempt.final is None:
        error = "The machine was stopped before it ran."
        changed["final"] = Final(status="failed", moment=Timestamp(at), error=error)
    return msgspec.structs.replace(attempt, **changed)


def _working(attempt: Attempt, fact: Received) -> Attempt:
    clock = clock_of(fact)
    if clock is None or attempt.final is not None:
        return attempt
    changed: dict[str, Any] = {}
    if attempt.evidence_at is None or clock > attempt.evidence_at:
        changed["evidence_at"] = clock
    if attempt.opened_at and clock < attempt.opened_at and attempt.run_id is None:
        changed["opened_at"] = clock
    return msgspec.structs.replace(attempt, **changed) if changed else attempt


def _skewed(attempt: Attempt, fact: Received) -> Attempt:
    if fact.occurred_at is None:
        return attempt
    skew = int((fact.occurred_at - fact.recorded_at).total_seconds())
    if abs(skew) <= max(SKEW_SECONDS, abs(attempt.skew_seconds or 0)):
        return attempt
    return msgspec.structs.replace(attempt, skew_seconds=skew)


def _moment(fact: Received) -> Timestamp:
    return Timestamp(fact.recorded_at, fact.occurred_at)


def _claimed(attempt: Attempt, moment: Timestamp) -> Attempt:
    if attempt.claim is None or moment.surely_before(attempt.claim):
        return msgspec.structs.replace(attempt, claim=moment)
    return attempt


def _with_step(attempt: Attempt, fact: StepReported) -> Attempt:
    step, moment = fact.step, _moment(fact)
    if attempt.final and not moment.surely_by(attempt.final.moment):
        return attempt if attempt.has_begun else msgspec.structs.replace(attempt, begun=True)
    attempt = _claimed(attempt, moment)
    seen = attempt.steps.get(step)
    if seen is None and len(attempt.steps) >= MAX_STEPS and not fact.in_workflow:
        return attempt
    if seen is None or moment.surely_before(seen):
        again_at = (seen.again_at or seen.occurred_at) if seen and attempt.run_id is None else None
        moment = Timestamp(moment.recorded_at, moment.occurred_at, again_at)
        return msgspec.structs.replace(attempt, steps=attempt.steps | {step: moment})
    if attempt.run_id is None and seen.surely_before(moment):
        # It may be a later try's, which a failure that comes late cuts off from this one.
        if seen.again_at is None or (moment.at > seen.again_at):
            seen = Timestamp(seen.recorded_at, seen.occurred_at, moment.occurred_at)
            return msgspec.structs.replace(attempt, steps=attempt.steps | {step: seen})
    return attempt


def _ended(attempt: Attempt, final: Final) -> Attempt:
    if final.error and len(final.error) > MAX_KEPT:
        final = msgspec.structs.replace(final, error=kept(final.error))
    if attempt.final is None or attempt.final.yields_to(final):
        return msgspec.structs.replace(attempt, final=final)
    return attempt


def _with_machine(attempt: Attempt, fact: Machine) -> Attempt:
    if not _may_add(attempt, fact):
        return attempt
    changed: dict[str, Any] = {}
    for field, value in (
        ("server_id", fact.server_id),
        ("server_ip", fact.server_ip),
        ("tailscale_ip", fact.tailscale_ip),
        ("run_id", fact.workflow_run_id),
    ):
        if value:
            runs = field != "run_id" and _says_running(fact)
            old: ReportedValue | None = getattr(attempt, field)
            if old and old.value == value and old.occurred_at == fact.occurred_at and not runs:
                continue  # almost every callback repeats what is known
            newest = _later(old, ReportedValue(value, fact.occurred_at, runs))
            if newest is not old:
                changed[field] = newest
    if fact.workflow_run_id:
        if fact.run_attempt and attempt.run_attempt is None:
            changed["run_attempt"] = fact.run_attempt
        if fact.server_id and not attempt.claims_machine:
            changed["claims_machine"] = True
    return msgspec.structs.replace(attempt, **changed) if changed else attempt


def _may_add(attempt: Attempt, fact: Machine) -> bool:
    # After the end, only the run that ended the attempt may add to its machine. A word that names
    # another run is of the first release, where it counted.
    if attempt.final is None or attempt.final.inferred or attempt.run_id is None:
        return True
    return fact.workflow_run_id is not None


def _says_running(fact: Machine) -> bool:
    # `running` with a whole machine is recorded as `MetadataReported` first.
    if isinstance(fact, MetadataReported):
        return True
    return isinstance(fact, StatusReported) and fact.status == "running"


def _later(old: ReportedValue | None, new: ReportedValue) -> ReportedValue:
    if old and old.runs != new.runs:
        return old if old.runs else new
    if old is None or not (old.occurred_at and new.occurred_at):
        return new
    return max(old, new, key=lambda word: (word.occurred_at, word.value))
