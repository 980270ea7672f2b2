"""Senders' times within what our clock allows.

Nothing happened after we recorded it, and nothing of a job happened before the job was registered.
So no job has been running for 26 years, and no step ends before it begins.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from domain.job.attempt.clocks import Timestamp
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
    time = min(moment.at, moment.recorded_at)
    return max(time, min(floor, moment.recorded_at)) if floor else time


def shown_claim(attempt: Attempt, floor: datetime | None) -> datetime | None:
    """Return when the workflow claimed the attempt, or None if it had ended before."""
    if attempt.claim is None or attempt.claimed_at is None:
        return None
    return shown(attempt.claim, floor)


def shown_end(attempt: Attempt, floor: datetime | None) -> datetime | None:
    """Return when the attempt ended, never before its claim or a step that it reached."""
    if attempt.final is None:
        return None
    starts = [shown(seen, floor) for seen in attempt.steps_reached.values()]
    claim = shown_claim(attempt, floor)
    return max([shown(attempt.final.moment, floor), *starts, *([claim] if claim else [])])
