"""Senders' times within what our clock allows.

Nothing happened after we recorded it, and nothing of a job happened before the job was registered.
So no job has been running for 26 years, and no step ends before it begins. A time that is more
than `MAX_LEAD` outside of that comes from a wrong clock. It is compared only with times of clocks
that are wrong alike: of several hosts that report, one may have a clock that is an hour slow.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final, Literal

from domain.job.attempt.clocks import MAX_LEAD, Timestamp
from domain.job.attempt.state import Attempt

UNHEARD_OF: Final = timedelta(hours=24)
"""A callback of a job that nobody registered first may report what happened this long ago."""


def earliest(created_at: datetime | None, queued_at: datetime | None) -> datetime | None:
    """Return the earliest time that anything of a job is shown with."""
    if created_at is None or created_at == queued_at:
        return created_at
    return created_at - UNHEARD_OF if created_at.year > 1 else created_at


def shown(moment: Timestamp, floor: datetime | None) -> datetime:
    """Return when something happened: the sender's time as far as our clock allows."""
    if floor is None:
        return min(moment.at, moment.recorded_at)
    if floor - moment.at > MAX_LEAD:
        return moment.recorded_at
    return max(min(moment.at, moment.recorded_at), min(floor, moment.recorded_at))


def reached(attempt: Attempt, floor: datetime | None) -> dict[str, Timestamp]:
    """Return the steps that the attempt reached before it ended, as far as clocks tell."""
    final = attempt.final
    if final is None:
        return attempt.steps
    return {
        name: seen
        for name, seen in attempt.steps.items()
        if not _is_surely_before(final.moment, seen, floor)
    }


def shown_claim(attempt: Attempt, floor: datetime | None) -> datetime | None:
    """Return when the workflow claimed the attempt, or None if it had ended before."""
    claim, final = attempt.claim, attempt.final
    if claim is None or (final and _is_surely_before(final.moment, claim, floor)):
        return None
    return shown(claim, floor)


def shown_end(attempt: Attempt, floor: datetime | None) -> datetime | None:
    """Return when the attempt ended, never before its claim or a step that it reached."""
    if attempt.final is None:
        return None
    starts = [shown(seen, floor) for seen in reached(attempt, floor).values()]
    claim = shown_claim(attempt, floor)
    return max([shown(attempt.final.moment, floor), *starts, *([claim] if claim else [])])


def _is_surely_before(one: Timestamp, other: Timestamp, floor: datetime | None) -> bool:
    return _fault(one, floor) == _fault(other, floor) and one.surely_before(other)


def _fault(moment: Timestamp, floor: datetime | None) -> Literal["fast", "slow"] | None:
    """Return how the clock of this time is wrong, if it surely is."""
    if moment.at - moment.recorded_at > MAX_LEAD:
        return "fast"
    return "slow" if floor and floor - moment.at > MAX_LEAD else None
