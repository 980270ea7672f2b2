"""The threads behind the front: a bounded pool for work that blocks, with a fair share for each."""

from __future__ import annotations

from asyncio import AbstractEventLoop, shield, wait_for, wrap_future
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from typing import Any, Final, Generic, TypeVar

from api.errors import TooManyRequests
from api.http.patience import PATIENCE_SECONDS, begin
from api.serving.turns import Turns
from domain.errors import QueueFull, StoreUnavailable

Result = TypeVar("Result")

THREADS: Final = 16
MAX_WAITING: Final = 256
"""How many pieces of work may wait for a thread."""
NOBODY: Final = ""
"""The caller of work that is nobody's own."""


class BoundedThreads:
    """Runs work in threads for callers on the event loop, who wait for a bounded time.

    Callers take turns. A caller may hold as many places as it leaves free: one alone gets a half of
    all, two get a third each, and there is always a place for one more. `NOBODY` may hold all.
    """

    def __init__(
        self,
        loop: AbstractEventLoop,
        threads: int = THREADS,
        patience: float = PATIENCE_SECONDS,
        *,
        most_waiting: int = MAX_WAITING,
    ) -> None:
        self._loop = loop
        self._patience = patience
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="front")
        self._turns = Turns[_Call[Any]]()
        self._most = threads + most_waiting
        self._under_way = 0
        self._held = Counter[str]()

    async def run(self, work: Callable[[], Result], caller: str = NOBODY) -> Result:
        """Return the work's result, or raise what it raises; the work sees the caller's context.

        What the work waits for itself can end with the caller's patience: `seconds_left` tells it.

        Raises `QueueFull` if too much work waits, `TooManyRequests` if too much of it is this
        caller's, and `StoreUnavailable` if there is no result in time. Work that has begun then
        ends for nobody; work that has not begun never begins.
        """
        free = self._most - self._under_way
        if free <= 0:
            raise QueueFull
        if caller != NOBODY and self._held[caller] >= free:
            raise TooManyRequests
        context = copy_context()
        context.run(begin, self._patience)
        call = _Call(partial(context.run, work))
        self._turns.put(caller, call)
        self._pool.submit(self._next)
        result = wrap_future(call.result, loop=self._loop)
        self._under_way += 1
        self._held[caller] += 1
        result.add_done_callback(partial(self._ended, caller))
        try:
            # Shielded: what the pool still holds is counted until a thread is done with it.
            return await wait_for(shield(result), self._patience)
        except TimeoutError:
            call.is_abandoned = True
            raise StoreUnavailable(f"no answer within {self._patience:g} s") from None

    def close(self) -> None:
        """Start nothing more; do not wait for work under way."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        while call := self._turns.take():
            call.result.cancel()

    def _next(self) -> None:
        # Work is submitted once for each call, but its turn decides which call that is.
        if call := self._turns.take():
            call()

    def _ended(self, caller: str, result: Any) -> None:
        self._under_way -= 1
        self._held[caller] -= 1
        if not self._held[caller]:
            del self._held[caller]
        if not result.cancelled():
            result.exception()  # its caller may have lost patience: then nobody else looks at it


class _Call(Generic[Result]):
    """A piece of work that is skipped if its caller has lost patience before it begins."""

    def __init__(self, work: Callable[[], Result]) -> None:
        self._work = work
        self.result = Future[Result]()
        self.is_abandoned = False

    def __call__(self) -> None:
        if self.is_abandoned:
            self.result.set_exception(StoreUnavailable("nobody waits for this any more"))
            return
        try:
            result = self._work()
        except BaseException as error:  # it belongs to the caller, as in every pool of threads
            self.result.set_exception(error)
        else:
            self.result.set_result(result)
