"""The times of callbacks: the sender's clock beside ours, and how far it can be trusted."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from domain.job.events import Received

MAX_LEAD = timedelta(seconds=60)
"""A sender's time further ahead of ours than this is no evidence of what happened when."""
SKEW_SECONDS = 60
"""A smaller difference between a sender's clock and ours is not worth a word."""


def is_apart(occurred_at: datetime | None, recorded_at: datetime | None) -> bool:
    """Tell whether the difference between a sender's time and ours is worth a word."""
    if occurred_at is None or recorded_at is None:
        return False
    return abs((occurred_at - recorded_at).total_seconds()) > SKEW_SECONDS


class Timestamp(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """When something happened, by the server's clock and, if the callback said it, the sender's.

    `again_at` and `again_recorded_at` are the times of the last word that said so again, where no
    word names a run.
    """

    recorded_at: datetime
    occurred_at: datetime | None = None
    again_at: datetime | None = None
    again_recorded_at: datetime | None = None

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


def whole_seconds(time: datetime) -> datetime:
    """Cut a time to whole seconds: not every sender writes fractions."""
    return time.replace(microsecond=0)


def clock_of(fact: Received) -> datetime | None:
    """Return the sender's time of a fact if it can be evidence: not far ahead of our time."""
    time = fact.occurred_at
    return time if time and time - fact.recorded_at <= MAX_LEAD else None


def moment_of(fact: Received) -> Timestamp:
    """Return when a callback happened, by both clocks."""
    return Timestamp(fact.recorded_at, fact.occurred_at)
