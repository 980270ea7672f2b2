"""Health: how alive a job is, apart from its status, and why, in a sentence.

Everything here is a pure function of the workflow definition, the attempt and times of one clock:
the store's.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal, TypeAlias

import msgspec

from domain.job.attempt.state import Attempt
from domain.job.deadlines import SEED, UNRESPONSIVE_SHARE, Due, due, unresponsive_at
from domain.workflows.definition import Deadlines, Workflow

HEARTBEAT_SECONDS = 60
"""How often a workflow sends a heartbeat (seed contract, "Callbacks"), if its deadline allows."""
LATE_SECONDS = 150
"""The time for two heartbeats and a slow request. A longer silence is late."""
LONG_PENDING_SECONDS = 600
"""A job that waits longer than this for its workflow is late."""
State: TypeAlias = Literal["ok", "late", "unresponsive"]


class Health(msgspec.Struct, frozen=True):
    """How alive a job is, apart from its status, and why, in a sentence.

    A job that has ended is `ok` and has no sentence. `due` is the deadline that comes first. While
    a job is `ok`, neither changes with time.
    """

    state: State = "ok"
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
    if attempt.final:
        return Health()
    first = due(workflow, attempt, waiting_since, first_start)
    if attempt.claim is None:
        return _waiting(first, waiting_since, now)
    since = attempt.silent_since or attempt.claim.recorded_at
    silence = (now - since).total_seconds()
    silent_at = unresponsive_at(workflow, attempt)
    if silent_at and now >= silent_at:
        state: State = "unresponsive"
    elif silence > LATE_SECONDS:
        state = "late"
    else:
        heard = "Last heartbeat" if attempt.heard_at else "Claimed"
        return Health("ok", f"{heard} at {_clock(since, since)}.{_limit(first, since)}", first)
    allowed = (workflow.deadlines if workflow else SEED).heartbeat_seconds
    # Of three heartbeats two may be lost.
    every = min(HEARTBEAT_SECONDS, max(1, allowed // 3))
    sentence = f"No heartbeat for {_span(silence)}; one is expected every {every} s."
    return Health(state, sentence + _end(first, since, now), first)


def changes_with_time(
    deadlines: Deadlines, attempt: Attempt, waiting_since: datetime | None, now: datetime
) -> int | None:
    """Return a number that changes with the attempt's health, without making anything of it.

    None while it is `ok` and stays so without an event.
    """
    if attempt.final:
        return None
    since = attempt.silent_since if attempt.claim else waiting_since
    if since is None:
        return None
    calm = (
        min(LATE_SECONDS, deadlines.heartbeat_seconds * UNRESPONSIVE_SHARE)
        if attempt.claim
        else min(LONG_PENDING_SECONDS, deadlines.start_seconds)
    )
    passed = (now - since).total_seconds()
    return int(passed) if passed >= calm else None


def _waiting(first: Due | None, waiting_since: datetime | None, now: datetime) -> Health:
    if first is None or waiting_since is None:
        return Health(sentence="Nobody has registered this job, and its workflow has not begun.")
    waited = (now - waiting_since).total_seconds()
    if now > first.at:
        state: State = "unresponsive"
    else:
        state = "late" if waited > LONG_PENDING_SECONDS else "ok"
    how_long = f"since {_clock(waiting_since, waiting_since)}"
    if state != "ok":
        how_long = f"for {_span(waited)}"
    sentence = f"Queued {how_long}; its workflow has not reported yet."
    return Health(state, sentence + _end(first, waiting_since, now), first)


def _limit(first: Due | None, since: datetime) -> str:
    match first:
        case Due(kind="step"):
            return f" Step {first.step} may take until {_clock(first.at, since)}."
        case Due(kind="attempt"):
            return f" The attempt may take until {_clock(first.at, since)}."
        case _:
            return ""


def _end(first: Due | None, since: datetime, now: datetime) -> str:
    if first is None:
        return ""
    if now > first.at:
        return f" Its deadline was {_clock(first.at, since)}; it is not given up yet."
    return _limit(first, since) or f" Will be given up at {_clock(first.at, since)}."


def _clock(time: datetime, since: datetime) -> str:
    """Return the time of day, with the date if it is on another day than `since`."""
    time = time.astimezone(UTC)
    day = "" if time.date() == since.astimezone(UTC).date() else f"{time:%Y-%m-%d} "
    return f"{day}{time:%H:%M:%S} UTC"


def _span(seconds: float) -> str:
    whole = max(0, int(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    if whole < 86_400:
        return f"{whole // 3600} h {whole % 3600 // 60} min"
    return f"{whole // 86_400} d {whole % 86_400 // 3600} h"
