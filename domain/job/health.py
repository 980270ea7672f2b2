"""Health: how alive a job is, apart from its status, and why, in a sentence.

Everything here is a pure function of the workflow definition, the attempt and times of one clock:
the store's.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal, TypeAlias

import msgspec

from domain.job.attempt.state import Attempt
from domain.job.deadlines import SEED, UNRESPONSIVE_SHARE, Due, due, later, unresponsive_at
from domain.job.wording import Age, Left, Words, lasted
from domain.workflows.definition import Deadlines, Workflow

HEARTBEAT_SECONDS = 60
"""How often a workflow sends a heartbeat (seed contract, "Callbacks"), if its deadline allows."""
LATE_SECONDS = 150
"""The time for two heartbeats and a slow request. A longer silence is late."""
LONG_PENDING_SECONDS = 600
"""A job that waits longer than this for its workflow is late."""
UNREGISTERED = "Nobody has registered this job, and its workflow has not begun."
State: TypeAlias = Literal["ok", "late", "unresponsive"]


class Health(msgspec.Struct, frozen=True):
    """How alive a job is, apart from its status, and why, in a sentence.

    A job that has ended is `ok` and has no sentence. `due` is the deadline that comes first. While
    a job is `ok`, neither changes with time. `changes_at` is the time after which the health is
    another one, if nothing is recorded until then; None for never. `words` is the sentence for a
    reader who sees it age, such as that of a page.
    """

    state: State = "ok"
    sentence: str | None = None
    due: Due | None = None
    changes_at: datetime | None = None
    words: Words = ()


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
    late_at, silent_at = later(since, LATE_SECONDS), unresponsive_at(workflow, attempt)
    if silent_at and now >= silent_at:
        state: State = "unresponsive"
    elif now > late_at:
        state = "late"
    else:
        return _alive(first, attempt, since, _next(now, late_at, silent_at))
    allowed = (workflow.deadlines if workflow else SEED).heartbeat_seconds
    # Of three heartbeats two may be lost.
    every = min(HEARTBEAT_SECONDS, max(1, allowed // 3))
    rest = f"; one is expected every {every} s."
    turns = _next(now, silent_at, first.at if first else None)
    opening, end = "No heartbeat for ", _end(first, since, now)
    text = f"{opening}{lasted((now - since).total_seconds())}{rest}{end}"
    return Health(state, text, first, turns, _ageing_words(opening, rest, end, first, since, now))


def _alive(first: Due | None, attempt: Attempt, since: datetime, turns: datetime | None) -> Health:
    at, limit = _clock(since, since), _limit(first, since)
    if attempt.heard_at:
        text = f"Last heartbeat at {at}."
        words: Words = ("Last heartbeat ", Age(since), f" ago, at {at}.")
    else:
        text = f"The workflow began at {at}; no heartbeat has come yet."
        words = ("The workflow began ", Age(since), f" ago, at {at}; no heartbeat has come yet.")
    return Health("ok", text + limit, first, turns, (*words, limit))


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
        return Health(sentence=UNREGISTERED, words=(UNREGISTERED,))
    late_at = later(waiting_since, LONG_PENDING_SECONDS)
    turns, rest = _next(now, late_at, first.at), "; its workflow has not reported yet."
    opening, end = "Queued for ", _end(first, waiting_since, now)
    words = _ageing_words(opening, rest, end, first, waiting_since, now)
    if now <= first.at and now <= late_at:
        text = f"Queued since {_clock(waiting_since, waiting_since)}{rest}{end}"
        return Health("ok", text, first, turns, words)
    state: State = "unresponsive" if now > first.at else "late"
    text = f"{opening}{lasted((now - waiting_since).total_seconds())}{rest}{end}"
    return Health(state, text, first, turns, words)


def _ageing_words(
    opening: str, rest: str, end: str, first: Due | None, since: datetime, now: datetime
) -> Words:
    """Return a sentence that changes with time: an age is between its two first parts."""
    if first and now <= first.at:
        return opening, Age(since), rest, end.removesuffix("."), ", in ", Left(first.at), "."
    return opening, Age(since), rest, end


def _next(now: datetime, one: datetime | None, other: datetime | None) -> datetime | None:
    """Return the earlier one of two times that are not over."""
    if one is None or one < now:
        return None if other is None or other < now else other
    return other if other and now <= other < one else one


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
    day = "" if time.date() == since.astimezone(UTC).date() else f"{time.date()} "
    # The format %H:%M:%S takes twice as long, and every read of a waiting job asks for it twice.
    return f"{day}{time.time().isoformat('seconds')} UTC"
