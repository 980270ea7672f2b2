"""Deadlines: when an attempt is given up.

Everything here is a pure function of the workflow definition, the attempt and times of one clock:
the store's. Neither the senders' clocks nor the status of the job count.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache

import msgspec

from domain.job.attempt.state import Attempt
from domain.job.events import DeadlineKind
from domain.workflows.definition import Deadlines, Workflow

UNRESPONSIVE_SHARE = 2 / 3
"""The share of the heartbeat deadline after which a silent job counts as unresponsive."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SEED = Deadlines()
"""The deadlines of a job whose definition names none."""


class Due(msgspec.Struct, frozen=True):
    """A deadline of an attempt: its kind, when its time began, and its length.

    The deadline is missed when the clock is past `at`.
    """

    kind: DeadlineKind
    since: datetime
    seconds: int
    step: str | None = None

    @property
    def at(self) -> datetime:
        """When the attempt is given up, unless something comes before."""
        return later(self.since, self.seconds)

    def error(self, now: datetime) -> str:
        """Return the error of the timeout; for a heartbeat, in the seed contract's words."""
        passed = int((now - self.since).total_seconds())
        match self.kind:
            case "start":
                return f"Timeout: No callback of the workflow for {passed}s"
            case "heartbeat":
                return f"Timeout: No heartbeat for {passed}s"
            case "step":
                return f"Timeout: Step {self.step} has taken {passed}s"
            case "attempt":
                return f"Timeout: The attempt has taken {passed}s"


def due(
    workflow: Workflow | None,
    attempt: Attempt,
    waiting_since: datetime | None,
    first_start: datetime | None = None,
) -> Due | None:
    """Return the deadline that comes first; None for an attempt that has ended.

    `waiting_since` is when the attempt began to wait for its workflow: the time of registration for
    the first attempt. An attempt that nobody registered has no start deadline. `first_start` is
    when this store was first opened by a release with start deadlines: waiting before it is free.
    """
    every = all_due(workflow, attempt, waiting_since, first_start)
    if len(every) > 1:
        return min(every, key=lambda each: each.at)
    return every[0] if every else None


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What asks whether a job missed a deadline knows beside the job.

    `asked_at` is the time for which it is asked; a transaction may come later, because it had to
    wait. `allowance` has seconds that a deadline gets on top, by its kind, for jumps of the clock;
    it holds only for the job as it was at `version`. `held` says why timeouts had to wait.
    """

    asked_at: datetime | None = None
    first_start: datetime | None = None
    allowance: Mapping[DeadlineKind, float] = {}
    version: int | None = None
    held: str | None = None


ASKED_NOW = Question()
"""A question of somebody who knows nothing beside the job."""


def missed(
    workflow: Workflow | None,
    attempt: Attempt,
    waiting_since: datetime | None,
    question: Question,
    now: datetime,
) -> Due | None:
    """Return the missed deadline that came first; None if the attempt missed none."""
    asked_at = min(now, question.asked_at or now)
    return min(
        (
            each
            for each in all_due(workflow, attempt, waiting_since, question.first_start)
            if asked_at > later(each.at, question.allowance.get(each.kind, 0))
        ),
        key=lambda each: each.at,
        default=None,
    )


def all_due(
    workflow: Workflow | None,
    attempt: Attempt,
    waiting_since: datetime | None,
    first_start: datetime | None,
) -> list[Due]:
    """Return every deadline that the attempt has now; see `due`."""
    deadlines = workflow.deadlines if workflow else SEED
    if attempt.final:
        return []
    if attempt.claim is None:
        if waiting_since is None:
            return []
        since = max(waiting_since, first_start or waiting_since)
        return [Due("start", since, deadlines.start_seconds)]
    every = [
        Due("heartbeat", attempt.heard_at or attempt.claim.recorded_at, deadlines.heartbeat_seconds)
    ]
    if deadlines.attempt_seconds:
        every.append(Due("attempt", attempt.claim.recorded_at, deadlines.attempt_seconds))
    # A step that took too long is not given up again once its timeout was taken back.
    if workflow and not attempt.revived and (seconds_of := workflow.step_deadlines):
        step = workflow.furthest(attempt.steps)
        if step and (seconds := seconds_of.get(step)):
            every.append(Due("step", attempt.steps[step].recorded_at, seconds, step))
    return every


def unresponsive_at(workflow: Workflow | None, attempt: Attempt) -> datetime | None:
    """Return when the attempt counts as unresponsive if no heartbeat comes; None if none can."""
    since = attempt.silent_since
    if since is None:
        return None
    seconds = (workflow.deadlines if workflow else SEED).heartbeat_seconds
    return later(since, seconds * UNRESPONSIVE_SHARE)


def look_at(
    workflow: Workflow | None, first: datetime | None, silent_at: datetime | None
) -> datetime | None:
    """Return from when on a row has to be looked at: before any of its deadlines is missed.

    `first` is when the first deadline is missed, `silent_at` when the attempt is unresponsive. The
    result is indexed, and each change of it costs a change of the index. So it is cut to a third of
    the heartbeat deadline: the heartbeats of a job that is alive change it once in five minutes,
    and keep it in the future.
    """
    if first is None or silent_at is None:
        return first
    third = (workflow.deadlines if workflow else SEED).heartbeat_seconds / 3
    return min(first, _cut(silent_at, third))


# A step leaves the last sign of life as it was, so the projector asks both for times again.
@lru_cache(maxsize=8192)
def _cut(time: datetime, seconds: float) -> datetime:
    """Return the last time up to this one that is a multiple of so many seconds."""
    return later(EPOCH, time.timestamp() // seconds * seconds)


@lru_cache(maxsize=8192)
def later(time: datetime, seconds: float) -> datetime:
    """Return the time that many seconds later, or the last or first time that there is.

    A log that was imported may have events of any time, and no fold may fail for that.
    """
    try:
        return time + timedelta(0, seconds)
    except OverflowError:
        return (datetime.max if seconds > 0 else datetime.min).replace(tzinfo=UTC)
