"""A cache of jobs' states that is bounded: the least recently used jobs leave it first."""

from __future__ import annotations

from collections import OrderedDict
from typing import TypeVar

State = TypeVar("State")


class RecentJobs(OrderedDict[str, State]):
    """States by job id, the least recently used one first.

    It may exceed its bound of `most` jobs until `evict` is called, so that all jobs of a batch
    stay in it while the batch is processed.
    """

    def __init__(self, most: int) -> None:
        super().__init__()
        self._most = most

    def remember(self, job_id: str, state: State) -> None:
        """Store the state; the job is then the most recently used one."""
        self[job_id] = state
        self.move_to_end(job_id)

    def evict(self) -> list[State]:
        """Remove the least recently used jobs beyond the bound; return their states."""
        return [self.popitem(last=False)[1] for _ in range(len(self) - self._most)]
