"""One timer for all requests that have the same deadline; it looks every 0.25 s."""

from __future__ import annotations

from asyncio import AbstractEventLoop, TimerHandle
from collections import deque
from collections.abc import Callable
from typing import Final, Generic, TypeVar

Waiting = TypeVar("Waiting")

LOOK_SECONDS: Final = 0.25
"""The time between two looks. An expiry comes up to two of them after its deadline."""


class Deadlines(Generic[Waiting]):
    """Expire what has waited for longer than `seconds` and is not done.

    A timer for each of thousands of requests a second would cost more than the work that it guards.
    """

    def __init__(
        self,
        loop: AbstractEventLoop,
        seconds: float,
        is_done: Callable[[Waiting], bool],
        expire: Callable[[Waiting], None],
    ) -> None:
        self._loop = loop
        self._seconds = seconds
        self._is_done = is_done
        self._expire = expire
        self._waiting: deque[tuple[float, Waiting]] = deque()
        self._timer: TimerHandle | None = None
        self._looked_at = 0.0
        # Time in which the loop ran. A process that was suspended has read nothing meanwhile, so
        # that time counts against no client.
        self._elapsed = 0.0

    def add(self, waiting: Waiting) -> None:
        """Expire this when the loop has run for `seconds` s more, unless it is done by then."""
        if self._timer is None:
            self._looked_at = self._loop.time()
            self._timer = self._loop.call_later(LOOK_SECONDS, self._look)
        self._waiting.append((self._elapsed + LOOK_SECONDS + self._seconds, waiting))

    def _look(self) -> None:
        now = self._loop.time()
        self._elapsed += min(now - self._looked_at, 2 * LOOK_SECONDS)
        self._looked_at = now
        while self._waiting:
            until, waiting = self._waiting[0]
            is_done = self._is_done(waiting)
            if not is_done and self._elapsed < until:
                break
            self._waiting.popleft()
            if not is_done:
                self._expire(waiting)
        self._timer = self._loop.call_later(LOOK_SECONDS, self._look) if self._waiting else None
