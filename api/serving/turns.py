"""Turns: the work of several callers waits, and each caller in turn gives its oldest work."""

from __future__ import annotations

from collections import deque
from threading import Lock
from typing import Generic, TypeVar

Work = TypeVar("Work")


class Turns(Generic[Work]):
    """Work that waits, by caller; any thread may put and take.

    A caller that asks for a hundred things at once holds up each other caller by one of them.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._waiting: dict[str, deque[Work]] = {}

    def put(self, caller: str, work: Work) -> None:
        """Let work wait behind the other work of its caller."""
        with self._lock:
            self._waiting.setdefault(caller, deque()).append(work)

    def take(self) -> Work | None:
        """Return the oldest work of the caller whose turn it is; None if no work waits."""
        with self._lock:
            if not self._waiting:
                return None
            caller = next(iter(self._waiting))
            works = self._waiting.pop(caller)
            work = works.popleft()
            if works:
                self._waiting[caller] = works  # behind all others
            return work
