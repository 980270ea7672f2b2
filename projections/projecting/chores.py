"""The chores of the active projector, each one isolated from the projector and from the others."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from time import monotonic

from eventsourcing.persistence import PersistenceError

from domain.errors import Unavailable
from projections.chore import IDLE_SECONDS, Chore

log = logging.getLogger("milepost.chores")

SHORTEST_RETRY_SECONDS, LONGEST_RETRY_SECONDS = 1.0, 60.0
"""How long a chore rests after a failure; each further failure in a row doubles the time."""
LOG_AGAIN_SECONDS = 600.0
"""How long the log stays silent about a chore that fails again with the same kind of error."""


class Chores:
    """Do the chores that are due. A chore that fails stops neither its caller nor other chores."""

    def __init__(self, chores: Sequence[Chore], clock: Callable[[], float] = monotonic) -> None:
        self._isolated = [_Isolated(chore, clock) for chore in chores]

    def begin(self) -> None:
        """Let every chore begin anew, just before its next step. All of them are due at once."""
        for isolated in self._isolated:
            isolated.begin()

    def step(self) -> float:
        """Do a slice of every chore that is due; return in how many seconds the next one is due."""
        return min((isolated.step() for isolated in self._isolated), default=IDLE_SECONDS)


class _Isolated:
    def __init__(self, chore: Chore, clock: Callable[[], float]) -> None:
        self._chore = chore
        self._clock = clock
        self._logged_at: dict[type[Exception], float] = {}
        self.begin()

    def begin(self) -> None:
        self._has_begun = False
        self._due = self._clock()
        self._retry_seconds = SHORTEST_RETRY_SECONDS

    def step(self) -> float:
        if self._clock() >= self._due:
            seconds = self._tried()
            self._due = self._clock() + seconds
        return max(0.0, self._due - self._clock())

    def _tried(self) -> float:
        try:
            if not self._has_begun:
                self._chore.begin()
                self._has_begun = True
            seconds = self._chore.step()
        except Exception as error:
            # This is the one place that isolates chores: a bug in one of them must be seen in the
            # log, and must not end the projector's thread.
            seconds = self._retry_seconds
            self._report(error, seconds)
            self._has_begun = False
            self._retry_seconds = min(2 * seconds, LONGEST_RETRY_SECONDS)
        else:
            self._retry_seconds = SHORTEST_RETRY_SECONDS
        return seconds

    def _report(self, error: Exception, retry_seconds: float) -> None:
        logged_at = self._logged_at.get(type(error))
        if logged_at is not None and self._clock() < logged_at + LOG_AGAIN_SECONDS:
            return
        self._logged_at[type(error)] = self._clock()
        is_bug = not isinstance(error, PersistenceError | Unavailable)
        log.log(
            logging.ERROR if is_bug else logging.WARNING,
            "the chore %s failed, trying again in %g s: %s",
            type(self._chore).__name__,
            retry_seconds,
            error if str(error) else repr(error),
            exc_info=error if is_bug else None,
        )
