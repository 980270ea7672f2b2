"""How each fact reaches the attempt that it belongs to, and how attempts open."""

from __future__ import annotations

import msgspec

from domain.job.attempt import fold
from domain.job.attempt.state import Attempt, ReportedValue, cut_off
from domain.job.events import (
    AttemptCancelled,
    AttemptFailed,
    AttemptStarted,
    Fact,
    JobTimedOut,
    MachineStopped,
    Received,
    RollbackRequested,
    RollbackWithdrawn,
    StopRequested,
    TimeoutWithdrawn,
)
from domain.job.runs import first_release
from domain.job.runs.order import in_order
from domain.job.runs.room import may_have_grown, remembered, within_room
from domain.job.runs.state import Runs

OfOneAttempt = (
    JobTimedOut
    | TimeoutWithdrawn
    | AttemptFailed
    | AttemptCancelled
    | MachineStopped
    | RollbackRequested
    | RollbackWithdrawn
)


def evolve(runs: Runs, fact: Fact) -> Runs:
    """Fold one fact into the attempt that it belongs to."""
    before, folded, after = _latest[0]
    if before is not runs or folded is not fact:
        after = _evolved(runs, fact)
        _latest[0] = runs, fact, after
    return after


_latest: list[tuple[Runs, Fact | None, Runs]] = [(Runs(), None, Runs())]
"""The last result: the projector folds each fact into the same runs twice, once for each view."""


def _evolved(runs: Runs, fact: Fact) -> Runs:
    if isinstance(fact, Received):
        attempt = runs.find(runs.number_of(fact))
    elif isinstance(fact, AttemptStarted):
        return _opened(runs, fact)
    elif isinstance(fact, StopRequested):
        attempt = runs.present
    elif isinstance(fact, OfOneAttempt):
        attempt = runs.find(fact.attempt)
    else:
        return runs
    if attempt is None:
        return runs
    after = fold.evolve(attempt, fact)
    if after is attempt:
        return runs
    changed = runs.with_changed(attempt, after)
    if len(changed.attempts) > 1 and may_have_grown(attempt, after):
        return within_room(changed, after.number)
    return changed


def _opened(runs: Runs, started: AttemptStarted) -> Runs:
    if started.number <= runs.opened:
        return runs  # no release stores this
    if started.because is None:
        return first_release.opened(runs, started)
    run_id = started.workflow_run_id
    fresh = Attempt(
        number=started.number,
        since=started.recorded_at,
        opened_at=started.occurred_at,
        before=started.before,
        begun=started.because != "failure",
        reruns=started.because == "rerun",
        wanted=started.because == "retry",
        run_id=ReportedValue(run_id, started.occurred_at) if run_id else None,
        run_attempt=started.run_attempt,
    )
    every = list(runs.attempts)
    for place, each in enumerate(every):
        if each.number == started.before and started.occurred_at:
            # A failure that came late divides this attempt's time: the older part is the failed
            # one's.
            every[place] = cut_off(each, started.occurred_at)
            fresh = msgspec.structs.replace(fresh, opened_at=each.opened_at)
    retries = runs.retries + (started.because != "failure")
    return remembered(Runs(in_order([*every, fresh]), started.number, retries, runs.forgotten))
