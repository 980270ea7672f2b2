"""A fair cache: it has a bounded number of entries, and the owner of most of them makes way.

So one user's thousand sessions push out none of somebody else's.
"""

from __future__ import annotations

from collections import Counter
from threading import Lock
from typing import Generic, TypeVar

Value = TypeVar("Value")


class FairCache(Generic[Value]):
    """At most `most` values by key, each with an owner. Any thread may read and write."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = Lock()
        self._entries: dict[str, tuple[str, Value]] = {}  # in the order in which they were put
        self._counts = Counter[str]()

    def get(self, key: str) -> Value | None:
        """Return a value; None if the cache has none."""
        entry = self._entries.get(key)
        return entry[1] if entry else None

    def put(self, key: str, value: Value, owner: str) -> None:
        """Store a value as the newest one; drop the oldest of the owner that has the most."""
        with self._lock:
            self._drop(key)
            self._entries[key] = owner, value
            self._counts[owner] += 1
            if len(self._entries) > self._most:
                most = max(self._counts.values())
                owners = ((key, owner) for key, (owner, _) in self._entries.items())
                self._drop(next(key for key, owner in owners if self._counts[owner] == most))

    def drop(self, key: str) -> None:
        """Forget a value, if there is one."""
        with self._lock:
            self._drop(key)

    def _drop(self, key: str) -> None:
        if entry := self._entries.pop(key, None):
            owner, _ = entry
            self._counts[owner] -= 1
            if not self._counts[owner]:
                del self._counts[owner]
