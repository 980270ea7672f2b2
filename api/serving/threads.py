"""The threads behind the front: a bounded pool for work that blocks."""

from __future__ import annotations

from asyncio import AbstractEventLoop, Future, shield, wait_for, wrap_future
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any, Final, Generic, TypeVar

from domain.errors import QueueFull, StoreUnavailable

Result = TypeVar("Result")

THREADS: Final = 16
MAX_WAITING: Final = 256
"""How many pieces of work may wait for a thread."""
PATIENCE_SECONDS: Final = 15.0
"""How long a caller waits for its result, with the wait for a thread."""


class BoundedThreads:
    """Runs work in threads for callers on the event loop, who wait for a bounded time."""

    def __init__(
        self, loop: AbstractEventLoop, threads: int = THREADS, patience: float = PATIENCE_SECONDS
    ) -> None:
        self._loop = loop
        self._patience = patience
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="front")
        self._most = threads + MAX_WAITING
        self._under_way = 0

    async def run(self, work: Callable[[], Result]) -> Result:
        """Return the work's result, or raise what it raises; the work sees the caller's context.

        Raises `QueueFull` if too much work waits, and `StoreUnavailable` if there is no result in
        time. Work that has begun then ends for nobody; work that has not begun never begins.
        """
        if self._under_way >= self._most:
            raise QueueFull
        call = _Call(work)
        result: Future[Result] = wrap_future(
            self._pool.submit(copy_context().run, call), loop=self._loop
        )
        self._under_way += 1
        result.add_done_callback(self._ended)
        try:
            # Shielded: what the pool still holds is counted until a thread is done with it.
            return await wait_for(shield(result), self._patience)
        except TimeoutError:
            call.is_abandoned = True
            raise StoreUnavailable(f"no answer within {self._patience:g} s") from None

    def close(self) -> None:
        """Start nothing more; do not wait for work under way."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _ended(self, result: Future[Any]) -> None:
        self._under_way -= 1
        if not result.cancelled():
            result.exception()  # its caller may have lost patience: then nobody else looks at it


class _Call(Generic[Result]):
    """A piece of work that is skipped if its caller has lost patience before it begins."""

    def __init__(self, work: Callable[[], Result]) -> None:
        self._work = work
        self.is_abandoned = False

    def __call__(self) -> Result:
        if self.is_abandoned:
            raise StoreUnavailable("nobody waits for this any more")
        return self._work()
