"""Places for pages: the streams of one user hold up one another, and nobody else's."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest

from api.http.messages import Watch
from api.serving.streams.audience import BOUNDS, Audience
from api.serving.streams.missed.page_places import AT_ONCE, PagePlaces
from api.serving.threads import BoundedThreads
from api.tokens import Principal
from domain.errors import StoreUnavailable
from tests.support.web.site import Site


def test_few_pages_of_one_sharer_are_read_at_a_time() -> None:
    async def test() -> None:
        may_end, reading = asyncio.Event(), list[str]()
        places = PagePlaces(20)

        async def read(sharer: str) -> None:
            async with places.place(sharer):
                reading.append(sharer)
                await may_end.wait()

        tasks = [asyncio.create_task(read(each)) for each in [*["one"] * 20, "two", *[""] * 20]]
        await asyncio.sleep(0)
        assert [reading.count(each) for each in ("one", "two", "")] == [AT_ONCE, 1, 20]
        may_end.set()
        await asyncio.gather(*tasks)
        assert (reading.count("one"), len(places)) == (20, 0)

    asyncio.run(test())


def test_a_page_waits_for_a_bounded_time() -> None:
    async def test() -> None:
        places = PagePlaces(0)
        may_end = asyncio.Event()

        async def read() -> None:
            async with places.place("one"):
                await may_end.wait()

        tasks = [asyncio.create_task(read()) for _ in range(AT_ONCE)]
        await asyncio.sleep(0)
        with pytest.raises(StoreUnavailable):
            await read()
        may_end.set()
        await asyncio.gather(*tasks)
        assert len(places) == 0

    asyncio.run(test())


def test_no_page_is_read_for_a_reader_that_left_while_it_waited(memory_site: Site) -> None:
    """A user who closes pages and opens others does not wait for the closed ones."""
    ada = Principal("ada", frozenset({"read"}), "0123456789abcdef", user_id="ada")

    async def test() -> None:
        loop = asyncio.get_running_loop()
        threads = BoundedThreads(loop)
        audience = Audience(memory_site.services, loop, threads, BOUNDS)
        left, stays = (audience._admitted(Watch(ada), says_end=False) for _ in range(2))
        async with AsyncExitStack() as places:
            for _ in range(AT_ONCE):
                await places.enter_async_context(audience._places.place(ada.sharer))
            pages = [asyncio.create_task(audience.page(each)) for each in (left, stays)]
            await asyncio.sleep(0)
            audience.leave(left)
        with pytest.raises(StoreUnavailable, match="gone"):
            await pages[0]
        await pages[1]
        audience.close()
        threads.close()

    asyncio.run(test())
