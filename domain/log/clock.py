"""The clock of a store: it alone says when something was recorded, and how long a job is silent.

A store in one file or in memory has the clock of its host. A database that several hosts share has
its own, because the hosts' clocks may differ by hours.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from time import monotonic


def utc_now() -> datetime:
    """Return the present, in UTC, by this host's clock."""
    return datetime.now(UTC)


class CarriedClock:
    """A database's clock, carried on by this host's monotonic clock since it was last read.

    It tells the time without asking, so it may be a little off. Before the first reading, it has
    this host's time.
    """

    def __init__(self, passed: Callable[[], float] = monotonic) -> None:
        self._passed = passed
        self._read: tuple[float, float] | None = None

    def was_read(self, now: datetime) -> datetime:
        """Remember what the database's clock just said, and return it."""
        self._read = now.timestamp(), self._passed()
        return now

    def age(self) -> float:
        """Return how many seconds ago the clock was read; infinite before the first reading."""
        return self._passed() - self._read[1] if self._read else float("inf")

    def __call__(self) -> datetime:
        """Return the time that the database's clock probably has."""
        if self._read is None:
            return utc_now()
        then, at = self._read
        # Every read asks for the time, and to make a timedelta takes longer than all of this.
        return datetime.fromtimestamp(then + self._passed() - at, UTC)
