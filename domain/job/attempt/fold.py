"""The fold of one attempt: every fact that belongs to it, in any order.

Every part of the state merges: the earliest claim, the earliest report of each step, the earliest
final status, the latest values of the machine. Where the callbacks carry their senders' clocks
(`occurred_at`), the order of arrival therefore does not matter. Without them, it decides.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from domain.job.attempt.clocks import SKEW_SECONDS, Timestamp, moment_of
from domain.job.attempt.final import Final
from domain.job.attempt.machine import with_machine, with_other
from domain.job.attempt.progress import claimed, with_step, working
from domain.job.attempt.state import Attempt, ReportedValue
from domain.job.events import (
    AttemptCancelled,
    AttemptFailed,
    Fact,
    HeartbeatReceived,
    JobTimedOut,
    Machine,
    MachineStopped,
    Received,
    RollbackRequested,
    RollbackWithdrawn,
    StatusReported,
    StepReported,
    StopRequested,
    TimeoutWithdrawn,
)
from domain.job.long_text import MAX_IN_STATE, shortened


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
                attempt, final=None, revived=True, heard_at=fact.recorded_at, settled=None
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
            if fact.server_id and attempt.other(fact.server_id):
                return with_other(attempt, fact.server_id, settled=True, gone=True)
            return _stopped(attempt, fact.recorded_at)
        case StopRequested():
            return msgspec.structs.replace(attempt, stop_requested_at=fact.recorded_at)
        case RollbackRequested(server_id=str(other)) if (
            attempt.rollback_requested_at or attempt.stopped_at or attempt.passed_on
        ) and attempt.other(other):
            return with_other(attempt, other, left_at=fact.recorded_at)
        case RollbackWithdrawn(server_id=str(other)) if attempt.other(other):
            return with_other(attempt, other, left_at=None, settled=attempt.status == "failed")
        case RollbackRequested():
            return msgspec.structs.replace(
                attempt, rollback_requested_at=fact.recorded_at, rolled_back=fact.server_id
            )
        case RollbackWithdrawn():
            failed = attempt.status == "failed"
            return msgspec.structs.replace(
                attempt,
                rollback_requested_at=None,
                rolled_back=None,
                settled=attempt.machine_id if failed else None,
                passed_on=failed,
            )
        case _:
            return attempt


def _ordered_by(fact: AttemptFailed | AttemptCancelled) -> str:
    ended = "Cancelled" if isinstance(fact, AttemptCancelled) else "Ended as failed"
    return f"{ended} by {fact.requested_by or 'an operator'}, without a reason."


def _heard(attempt: Attempt, fact: Received) -> Attempt:
    match fact:
        case StepReported():
            attempt = working(with_machine(attempt, fact), fact)
            return with_step(attempt, fact)
        case HeartbeatReceived():
            if fact.claims:
                attempt = claimed(attempt, moment_of(fact))
                if fact.workflow_run_id and attempt.run_id is None:
                    run_id = ReportedValue(fact.workflow_run_id, fact.occurred_at)
                    attempt = msgspec.structs.replace(
                        attempt, run_id=run_id, run_attempt=fact.run_attempt
                    )
            if attempt.final or attempt.claim is None:
                return attempt
            return msgspec.structs.replace(attempt, heard_at=fact.recorded_at)
        case StatusReported(status="provisioning"):
            attempt = working(with_machine(attempt, fact), fact)
            return msgspec.structs.replace(claimed(attempt, moment_of(fact)), announced=True)
        case StatusReported(status="stopped", server_id=str(other), other_machine=True):
            return with_other(attempt, other, settled=True, gone=True)
        case StatusReported(status="stopped"):
            # Another run that removes the machine does not become the run of the attempt.
            own = attempt if _is_of_another_run(attempt, fact) else with_machine(attempt, fact)
            return _stopped(own, fact.recorded_at, fact.server_id)
        case StatusReported():
            return _reported_end(with_machine(attempt, fact), fact)
        case Machine():
            return with_machine(attempt, fact)
        case _:
            return attempt


def _is_of_another_run(attempt: Attempt, fact: Received) -> bool:
    if fact.workflow_run_id is None:
        return False
    if attempt.run_id is None or attempt.run_id.value != fact.workflow_run_id:
        return True
    first = 1 if attempt.run_attempt is None else attempt.run_attempt
    return bool(fact.run_attempt and fact.run_attempt != first)


def _reported_end(attempt: Attempt, fact: StatusReported) -> Attempt:
    is_running = fact.status == "running"
    if is_running:
        attempt = working(attempt, fact)
    elif (time := fact.occurred_at) and (not attempt.failure_at or time > attempt.failure_at):
        attempt = msgspec.structs.replace(attempt, failure_at=time)
    return _ended(
        attempt,
        Final(
            status="running" if is_running else "failed",
            moment=moment_of(fact),
            error=None if is_running else fact.error,
            step=fact.step,
            failed_step=fact.failed_step,
            cancelled=fact.status == "cancelled",
            unnamed=fact.workflow_run_id is None,
        ),
    )


def _stopped(attempt: Attempt, at: datetime, server_id: str | None = None) -> Attempt:
    changed: dict[str, Any] = {
        "stopped_at": attempt.stopped_at or at,
        "settled": attempt.settled or attempt.machine_id or server_id,
    }
    if attempt.final is None:
        error = "The machine was stopped before it ran."
        changed["final"] = Final(status="failed", moment=Timestamp(at), error=error, removed=True)
    return msgspec.structs.replace(attempt, **changed)


def _skewed(attempt: Attempt, fact: Received) -> Attempt:
    if fact.occurred_at is None:
        return attempt
    skew = int((fact.occurred_at - fact.recorded_at).total_seconds())
    if abs(skew) <= max(SKEW_SECONDS, abs(attempt.skew_seconds or 0)):
        return attempt
    return msgspec.structs.replace(attempt, skew_seconds=skew)


def _ended(attempt: Attempt, final: Final) -> Attempt:
    if final.error and len(final.error) > MAX_IN_STATE:
        final = msgspec.structs.replace(final, error=shortened(final.error))
    if attempt.final is None or attempt.final.yields_to(final):
        # An attempt that runs after all has the machine that it names, not one passed on before.
        is_settled = attempt.stopped_at or final.status == "failed"
        settled = attempt.settled if is_settled else None
        return msgspec.structs.replace(attempt, final=final, settled=settled)
    return attempt
