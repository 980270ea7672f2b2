"""The threads behind the front, with real threads and a real loop."""

from __future__ import annotations

import asyncio
import threading
from threading import Event

import pytest

from api.errors import TooManyRequests
from api.serving.threads import MAX_WAITING, THREADS, BoundedThreads
from domain.errors import QueueFull, StoreUnavailable

PATIENCE = 20.0


def test_work_that_hangs_is_given_up_and_its_thread_still_counts() -> None:
    """Else work of callers who have gone would fill the queue without a bound."""
    let_go, done = Event(), []

    async def ask() -> None:
        threads = BoundedThreads(asyncio.get_running_loop(), patience=0.05)

        def work() -> None:
            let_go.wait(PATIENCE)
            done.append(1)

        every = [threads.run(work) for _ in range(THREADS + MAX_WAITING)]
        outcomes = await asyncio.gather(*every, return_exceptions=True)
        assert {type(outcome) for outcome in outcomes} == {StoreUnavailable}
        with pytest.raises(QueueFull):
            await threads.run(work)

        let_go.set()
        while True:
            try:
                assert await threads.run(lambda: "again") == "again"
                break
            except QueueFull:
                await asyncio.sleep(0)
        threads.close()

    asyncio.run(ask())
    # The pool is closed without waiting: its other threads may still be ending the work they began.
    for thread in threading.enumerate():
        if thread.name.startswith("front"):
            thread.join(PATIENCE)

    assert len(done) == THREADS, "work that had not begun in time was done all the same"


def test_what_work_raises_is_raised_to_its_caller() -> None:
    async def ask() -> None:
        threads = BoundedThreads(asyncio.get_running_loop())
        with pytest.raises(ZeroDivisionError):
            await threads.run(lambda: 1 / 0)
        threads.close()

    asyncio.run(ask())


def test_a_caller_may_hold_as_many_places_as_it_leaves_free() -> None:
    async def ask() -> None:
        let_go = Event()
        threads = BoundedThreads(asyncio.get_running_loop())
        places = THREADS + MAX_WAITING
        under_way = []

        async def held(caller: str) -> int:
            """Ask until it is too much, and return how often that went well."""
            for number in range(places + 1):
                task = asyncio.create_task(threads.run(lambda: let_go.wait(PATIENCE), caller))
                await asyncio.sleep(0)
                if task.done():
                    assert isinstance(task.exception(), TooManyRequests)
                    return number
                under_way.append(task)
            return places

        shares = [await held(caller) for caller in ("one", "two", "three")]

        assert shares == [places // 2, places // 4, places // 8]
        let_go.set()
        assert set(await asyncio.gather(*under_way)) == {True}
        assert await threads.run(lambda: "again", "one") == "again"
        threads.close()

    asyncio.run(ask())
