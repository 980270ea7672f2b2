"""Places to wait at: a caller has as many as it leaves free, so others can always wait, too."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock


class WaitingPlaces:
    """A bounded number of places: one caller alone gets a half of all, two get a third each."""

    def __init__(self, most: int) -> None:
        self._free = most
        self._lock = Lock()
        self._held = Counter[str]()

    @contextmanager
    def place(self, caller: str) -> Iterator[bool]:
        """Hold a place for this caller; yield whether there is one."""
        with self._lock:
            is_held = self._held[caller] < self._free
            self._count(caller, int(is_held))
        try:
            yield is_held
        finally:
            with self._lock:
                self._count(caller, -int(is_held))

    def _count(self, caller: str, number: int) -> None:
        self._free -= number
        self._held[caller] += number
        if not self._held[caller]:
            del self._held[caller]
