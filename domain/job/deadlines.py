"""Deadlines: when an attempt is given up, and how alive it is until then.

Everything here is a pure function of the workflow definition, the attempt and times of one clock:
the store's. Neither the senders' clocks nor the status of the job count.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Literal

import msgspec

from domain.job.attempt import Attempt
from domain.job.events import DeadlineKind
from domain.workflows.definition import Deadlines, Workflow

HEARTBEAT_SECONDS = 60
"""How often a workflow sends a heartbeat (seed contract, "Callbacks")."""
LATE_SECONDS = 150
"""The time for two heartbeats and a slow request. A longer silence is late."""
UNRESPONSIVE_SHARE = 2 / 3
"""The share of the heartbeat deadline after which a silent job counts as unresponsive."""

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
        return self.since + timedelta(seconds=self.seconds)

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
    return min(
        all_due(workflow, attempt, waiting_since, first_start),
        key=lambda each: each.at,
        default=None,
    )


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
            if asked_at > each.at + timedelta(seconds=question.allowance.get(each.kind, 0))
        ),
        key=lambda each: each.at,
        default=None,
    )


def all_due(
    workflow: Workflow | None,
    attempt: Attempt,
    waiting_since: datetime | None,
    first_start: datetime | None,
) -> Iterator[Due]:
    """Return every deadline that the attempt has now; see `due`."""
    deadlines = workflow.deadlines if workflow else SEED
    if attempt.final:
        return
    if attempt.claim is None:
        if waiting_since:
            since = max(waiting_since, first_start or waiting_since)
            yield Due("start", since, deadlines.start_seconds)
        return
    if silent_since := attempt.silent_since:
        yield Due("heartbeat", silent_since, deadlines.heartbeat_seconds)
    if deadlines.attempt_seconds:
        yield Due("attempt", attempt.claim.recorded_at, deadlines.attempt_seconds)
    if workflow and (step := _furthest(workflow, attempt)):
        if seconds := workflow.step_deadlines().get(step):
            yield Due("step", attempt.steps[step].recorded_at, seconds, step)


def _furthest(workflow: Workflow, attempt: Attempt) -> str | None:
    """Return the furthest step that the definition knows."""
    ranks = workflow.ranks()
    known = [name for name in attempt.steps_reached if name in ranks]
    return max(known, key=lambda name: (ranks[name], name), default=None)


def unresponsive_at(workflow: Workflow | None, attempt: Attempt) -> datetime | None:
    """Return when the attempt counts as unresponsive if no heartbeat comes; None if none can."""
    since = attempt.silent_since
    if since is None:
        return None
    seconds = (workflow.deadlines if workflow else SEED).heartbeat_seconds
    return since + timedelta(seconds=seconds * UNRESPONSIVE_SHARE)


def look_at(
    workflow: Workflow | None, attempt: Attempt, waiting_since: datetime | None
) -> datetime | None:
    """Return from when on a row has to be looked at: before any of its deadlines is missed.

    It is indexed, and each change of it costs a change of the index. So it is cut to a third of the
    heartbeat deadline: the heartbeats of a job that is alive change it once in five minutes, and
    keep it in the future.
    """
    first = due(workflow, attempt, waiting_since)
    silent_at = unresponsive_at(workflow, attempt)
    if first is None or silent_at is None:
        return first.at if first else None
    third = max(1, (workflow.deadlines if workflow else SEED).heartbeat_seconds // 3)
    seconds = int(silent_at.timestamp()) // third * third
    return min(first.at, datetime.fromtimestamp(seconds, UTC))


class Health(msgspec.Struct, frozen=True):
    """How alive a job is, apart from its status, and why, in a sentence.

    A job that has ended is `ok` and has no sentence. `due` is the deadline that comes first.
    """

    state: Literal["ok", "late", "unresponsive"] = "ok"
    sentence: str | None = None
    due: Due | None = None


def health(
    workflow: Workflow | None,
    attempt: Attempt,
    waiting_since: datetime | None,
    now: datetime,
    first_start: datetime | None = None,
) -> Health:
    """Return the attempt's health at a time."""
    first = due(workflow, attempt, waiting_since, first_start)
    if attempt.final:
        return Health()
    if attempt.claim is None:
        return _waiting(first, waiting_since, now)
    since = attempt.silent_since or attempt.claim.recorded_at
    silence = (now - since).total_seconds()
    silent_at = unresponsive_at(workflow, attempt)
    if silent_at and now >= silent_at:
        state: Literal["ok", "late", "unresponsive"] = "unresponsive"
    else:
        state = "late" if silence > LATE_SECONDS else "ok"
    if state == "ok":
        heard = "Last heartbeat" if attempt.heard_at else "Claimed"
        sentence = f"{heard} {_span(silence)} ago."
    else:
        sentence = (
            f"No heartbeat for {_span(silence)}; one is expected every {HEARTBEAT_SECONDS} s."
        )
    return Health(state, _with_end(sentence, first, now, always=state != "ok"), first)


def _waiting(first: Due | None, waiting_since: datetime | None, now: datetime) -> Health:
    if first is None or waiting_since is None:
        return Health(sentence="Nobody has registered this job, and its workflow has not begun.")
    waited = (now - waiting_since).total_seconds()
    sentence = f"Queued for {_span(waited)}; its workflow has not reported yet."
    left = (first.at - now).total_seconds()
    state: Literal["ok", "late", "unresponsive"] = "ok"
    if left < first.seconds / 2:
        state = "late" if left > 0 else "unresponsive"
    return Health(state, _with_end(sentence, first, now, always=True), first)


def _with_end(sentence: str, first: Due | None, now: datetime, *, always: bool) -> str:
    if first is None:
        return sentence
    if now > first.at:
        return f"{sentence} Its deadline was {_clock(first.at, now)}; it is not given up yet."
    match first.kind:
        case "step":
            return f"{sentence} Step {first.step} may take until {_clock(first.at, now)}."
        case "attempt":
            return f"{sentence} The attempt may take until {_clock(first.at, now)}."
        case _:
            end = f" Will be given up at {_clock(first.at, now)}." if always else ""
            return sentence + end


def _clock(time: datetime, now: datetime) -> str:
    time = time.astimezone(UTC)
    day = "" if time.date() == now.astimezone(UTC).date() else f"{time:%Y-%m-%d} "
    return f"{day}{time:%H:%M:%S} UTC"


def _span(seconds: float) -> str:
    whole = max(0, int(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
