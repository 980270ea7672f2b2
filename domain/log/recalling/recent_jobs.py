"""A cache of jobs' states that is bounded in bytes: the least recently used jobs leave it first."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Generic, TypeVar

State = TypeVar("State")


class RecentJobs(Mapping[str, State], Generic[State]):
    """States by job id, the least recently used one first.

    `weigh` says about how many bytes a state takes. The cache may exceed its bound of `most_bytes`
    until `evict` is called, so that all jobs of a batch stay in it while the batch is processed.
    """

    def __init__(self, most_bytes: int, weigh: Callable[[State], int]) -> None:
        self._states: OrderedDict[str, State] = OrderedDict()
        # A state may weigh more later: a text keeps the bytes that it was once encoded to.
        self._weights: dict[str, int] = {}
        self._most_bytes = most_bytes
        self._weigh = weigh
        self.bytes = 0
        """About how many bytes all states take."""

    def __getitem__(self, job_id: str) -> State:
        return self._states[job_id]

    def __iter__(self) -> Iterator[str]:
        return iter(self._states)

    def __len__(self) -> int:
        return len(self._states)

    def get(self, job_id: str, default: Any = None) -> Any:
        """Return the state of a job, the default if the cache has none."""
        return self._states.get(job_id, default)

    def remember(self, job_id: str, state: State) -> None:
        """Store the state; the job is then the most recently used one."""
        self._states[job_id] = state
        self._states.move_to_end(job_id)
        weight = self._weigh(state)
        self.bytes += weight - self._weights.get(job_id, 0)
        self._weights[job_id] = weight

    def forget(self, job_id: str) -> None:
        """Remove the state of a job, if there is one."""
        if self._states.pop(job_id, None) is not None:
            self.bytes -= self._weights.pop(job_id)

    def clear(self) -> None:
        """Remove all states."""
        self._states.clear()
        self._weights.clear()
        self.bytes = 0

    def evict(self) -> list[State]:
        """Remove the least recently used jobs beyond the bound; return their states."""
        evicted: list[State] = []
        while self.bytes > self._most_bytes:
            job_id, state = self._states.popitem(last=False)
            self.bytes -= self._weights.pop(job_id)
            evicted.append(state)
        return evicted
