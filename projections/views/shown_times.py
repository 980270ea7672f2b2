"""Senders' times within what our clock allows.

Nothing happened after we recorded it, and nothing of a job happened before the job was registered.
So no job has been running for 26 years, and no step ends before it begins. A time that is more
than `MAX_LEAD` outside of that comes from a wrong clock. It is compared only with times of clocks
that are wrong alike: of several hosts that report, one may have a clock that is an hour slow.

A clock that is 90 s slow is surely wrong only in its words of the first 30 s after the
registration. Its later words are known by it: they are as far behind our clock. If they counted as
right, a later step would be shown before an earlier one.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final, Literal, NamedTuple

from domain.job.attempt.clocks import MAX_LEAD, Timestamp
from domain.job.attempt.state import Attempt
from domain.job.runs.placing.dating import SAME_SKEW_SECONDS

UNHEARD_OF: Final = timedelta(hours=24)
"""A callback of a job that nobody registered first may report what happened this long ago."""


def earliest(created_at: datetime | None, queued_at: datetime | None) -> datetime | None:
    """Return the earliest time that anything of a job is shown with."""
    if created_at is None or created_at == queued_at:
        return created_at
    return created_at - UNHEARD_OF if created_at.year > 1 else created_at


class Clocks(NamedTuple):
    """What an attempt tells of its senders' clocks: the earliest time of its job, and slow clocks.

    `slow` has how far the clocks that are surely slow are behind ours, in `SAME_SKEW_SECONDS`.
    """

    floor: datetime | None
    slow: frozenset[int]

    def shown(self, moment: Timestamp) -> datetime:
        """Return when something happened: the sender's time as far as our clock allows."""
        if self.floor is None:
            return min(moment.at, moment.recorded_at)
        if self.fault_of(moment) == "slow":
            return moment.recorded_at
        return max(min(moment.at, moment.recorded_at), min(self.floor, moment.recorded_at))

    def fault_of(self, moment: Timestamp) -> Literal["fast", "slow"] | None:
        """Return how the clock of this time is wrong, if it surely is."""
        if moment.at - moment.recorded_at > MAX_LEAD:
            return "fast"
        if _is_too_early(moment, self.floor):
            return "slow"
        if not self.slow:
            return None
        lag = _lag(moment)
        return None if self.slow.isdisjoint((lag - 1, lag, lag + 1)) else "slow"

    def surely_before(self, one: Timestamp, other: Timestamp) -> bool:
        """True if clocks that are right, or wrong alike, say that this time is the earlier one."""
        return one.surely_before(other) and self.fault_of(one) == self.fault_of(other)


def clocks_of(attempt: Attempt, floor: datetime | None) -> Clocks:
    """Return what the attempt tells of its senders' clocks."""
    if floor is None:
        return Clocks(None, frozenset())
    moments = [*attempt.steps.values(), *([attempt.claim] if attempt.claim else [])]
    if attempt.final:
        moments.append(attempt.final.moment)
    return Clocks(floor, frozenset(_lag(each) for each in moments if _is_too_early(each, floor)))


def reached(attempt: Attempt, floor: datetime | None) -> dict[str, Timestamp]:
    """Return the steps that the attempt reached before it ended, as far as clocks tell."""
    return _reached(attempt, clocks_of(attempt, floor)) if attempt.final else attempt.steps


def shown_claim(attempt: Attempt, floor: datetime | None) -> datetime | None:
    """Return when the workflow claimed the attempt, or None if it had ended before."""
    return _claim(attempt, clocks_of(attempt, floor)) if attempt.claim else None


def shown_end(attempt: Attempt, floor: datetime | None) -> datetime | None:
    """Return when the attempt ended, never before its claim or a step that it reached."""
    if attempt.final is None:
        return None
    clocks = clocks_of(attempt, floor)
    starts = [clocks.shown(seen) for seen in _reached(attempt, clocks).values()]
    claim = _claim(attempt, clocks)
    return max([clocks.shown(attempt.final.moment), *starts, *([claim] if claim else [])])


def _reached(attempt: Attempt, clocks: Clocks) -> dict[str, Timestamp]:
    final = attempt.final
    return {
        name: seen
        for name, seen in attempt.steps.items()
        if not (final and clocks.surely_before(final.moment, seen))
    }


def _claim(attempt: Attempt, clocks: Clocks) -> datetime | None:
    claim, final = attempt.claim, attempt.final
    if claim is None or (final and clocks.surely_before(final.moment, claim)):
        return None
    return clocks.shown(claim)


def _is_too_early(moment: Timestamp, floor: datetime | None) -> bool:
    return floor is not None and floor - moment.at > MAX_LEAD


def _lag(moment: Timestamp) -> int:
    return round((moment.recorded_at - moment.at).total_seconds() / SAME_SKEW_SECONDS)
