"""Room: the bytes that a worker holds for its clients, all together, have a bound.

When the bound is reached, the worker ends the connection that has held bytes for the longest. So
clients that are slow on purpose lose their connections first, and honest clients keep theirs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

Holder = TypeVar("Holder")


class Room(Generic[Holder]):
    """Room for `size` bytes. `taken` is what all holders have; `make_way` ends one of them."""

    def __init__(self, size: int, make_way: Callable[[Holder], None]) -> None:
        self.size = size
        self.taken = 0
        self._make_way = make_way
        # Dictionaries keep the order in which holders began.
        self._waiting: dict[Holder, int] = {}
        self._settled: dict[Holder, int] = {}

    def hold(self, holder: Holder, size: int) -> None:
        """Let a holder have this many bytes, all together, while it waits for its client."""
        self.taken += size - self._waiting.get(holder, 0)
        self._waiting[holder] = size
        while self.taken > self.size and self._waiting:
            oldest = next(iter(self._waiting))
            self.taken -= self._waiting.pop(oldest)
            self._make_way(oldest)

    def settle(self, holder: Holder) -> None:
        """Count what a holder has until it is released: it waits for its client no more."""
        if size := self._waiting.pop(holder, 0):
            self._settled[holder] = self._settled.get(holder, 0) + size

    def release(self, holder: Holder) -> None:
        """Free the bytes that are settled."""
        self.taken -= self._settled.pop(holder, 0)

    def forget(self, holder: Holder) -> None:
        """Free all bytes of a holder."""
        self.taken -= self._waiting.pop(holder, 0)
        self.release(holder)
