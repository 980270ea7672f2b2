"""Places for pages: the streams of one user hold up one another, and nobody else's."""

from __future__ import annotations

import asyncio

import pytest

from api.serving.streams.missed.page_places import AT_ONCE, PagePlaces
from domain.errors import StoreUnavailable


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
