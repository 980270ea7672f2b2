"""Places for pages: few pages of one user's streams are read at a time.

All pages are read in one thread. 900 streams of one user that began at the start of a short log
made the stream of another user wait for 7 s.
"""

from __future__ import annotations

from asyncio import Semaphore, timeout
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from domain.errors import StoreUnavailable

AT_ONCE: Final = 8
"""How many pages are read for one sharer at a time; the others wait here."""


class PagePlaces:
    """The places of each sharer, on one event loop. The sharer "" has any number of them."""

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._free: dict[str, Semaphore] = {}
        self._waiting: dict[str, int] = {}

    @asynccontextmanager
    async def place(self, sharer: str) -> AsyncIterator[None]:
        """Hold a place of the sharer; raise `StoreUnavailable` if none gets free in time."""
        if not sharer:
            yield
            return
        free = self._free.setdefault(sharer, Semaphore(AT_ONCE))
        self._waiting[sharer] = self._waiting.get(sharer, 0) + 1
        try:
            await self._taken(free)
            try:
                yield
            finally:
                free.release()
        finally:
            self._waiting[sharer] -= 1
            if not self._waiting[sharer]:
                del self._waiting[sharer], self._free[sharer]

    async def _taken(self, free: Semaphore) -> None:
        try:
            async with timeout(self._patience):
                await free.acquire()
        except TimeoutError:
            raise StoreUnavailable("the other streams of this user took all of its time") from None

    def __len__(self) -> int:
        """Return the number of sharers that have places or wait for one."""
        return len(self._free)
