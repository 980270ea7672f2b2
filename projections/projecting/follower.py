"""The follower: remember the log's newest event, so that a lost end of the log is noticed."""

from __future__ import annotations

from domain.log.lost_end.watch import EndWatch
from projections.chore import IDLE_SECONDS


class Follower:
    """A chore: compare what was seen with the log, and remember its newest event.

    Of all processes, the active projector sees every event. So it keeps the memory that outlives
    the process.
    """

    def __init__(self, end: EndWatch) -> None:
        self._end = end

    def begin(self) -> None:
        """Do nothing: the memory tells which event was the newest."""

    def step(self) -> float:
        """Look once; return seconds until the next step is due."""
        self._end.follow()
        return IDLE_SECONDS
