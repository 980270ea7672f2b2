"""Gathering, with a real batching and a real loop."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from threading import Event

import pytest

from api.serving.gathering import Gathering
from domain.errors import QueueFull, StoreUnavailable
from domain.writing.batching import Batching

PATIENCE = 20.0


class Work:
    """Returns what it is asked, doubled, and remembers the batches; refuses and hangs on demand."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.entered, self.let_go = Event(), Event()
        self.let_go.set()

    def __call__(self, requests: Sequence[int]) -> Sequence[int | Exception]:
        self.entered.set()
        self.let_go.wait(PATIENCE)
        self.batches.append(list(requests))
        refusals: dict[int, Exception] = {-1: KeyError("refused"), -2: StopIteration()}
        return [refusals.get(request, 2 * request) for request in requests]

    async def begun(self) -> None:
        """Return once a batch is under way."""
        while not self.entered.is_set():
            await asyncio.sleep(0)

    @property
    def requests(self) -> list[int]:
        """Every request that was worked on, in order."""
        return [request for batch in self.batches for request in batch]


def test_what_is_asked_at_the_same_time_is_one_batch() -> None:
    work = Work()

    async def ask() -> list[int]:
        gathering = Gathering(asyncio.get_running_loop(), Batching(work))
        return await asyncio.gather(*map(gathering.ask, range(10)))

    assert asyncio.run(ask()) == [2 * number for number in range(10)]
    assert work.batches == [list(range(10))]


def test_what_is_asked_while_a_batch_is_under_way_is_the_next_batch() -> None:
    work = Work()
    work.let_go.clear()

    async def ask() -> None:
        gathering = Gathering(asyncio.get_running_loop(), Batching(work))
        first = asyncio.ensure_future(gathering.ask(0))
        await work.begun()
        others = []
        for number in range(1, 10):  # one request in each round of the loop
            others.append(asyncio.ensure_future(gathering.ask(number)))
            await asyncio.sleep(0)
        work.let_go.set()
        await asyncio.gather(first, *others)

    asyncio.run(ask())

    assert work.batches == [[0], list(range(1, 10))]


def test_a_loop_that_is_always_busy_hands_over_at_most_a_batch() -> None:
    work = Work()

    async def ask() -> None:
        gathering = Gathering(asyncio.get_running_loop(), Batching(work, max_batch=4))

        async def late(number: int) -> None:
            for _ in range(number):  # one request in each round of the loop
                await asyncio.sleep(0)
            await gathering.ask(number)

        await asyncio.gather(*map(late, range(50)))

    asyncio.run(ask())

    assert max(map(len, work.batches)) <= 4
    assert work.requests == list(range(50))


@pytest.mark.parametrize(("refused", "error"), [(-1, KeyError), (-2, StoreUnavailable)])
def test_a_refusal_reaches_its_caller_and_no_other(refused: int, error: type[Exception]) -> None:
    async def ask() -> list[object]:
        gathering = Gathering(asyncio.get_running_loop(), Batching(Work()))
        asked = (gathering.ask(number) for number in (1, refused, 2))
        return await asyncio.gather(*asked, return_exceptions=True)

    one, refusal, two = asyncio.run(ask())

    assert (one, two) == (2, 4)
    assert isinstance(refusal, error)


def test_each_caller_has_a_deadline_and_what_was_not_begun_is_not_done() -> None:
    work = Work()
    work.let_go.clear()

    async def ask() -> None:
        batching = Batching(work, patience=0.05)
        gathering = Gathering(asyncio.get_running_loop(), batching)
        first = asyncio.ensure_future(gathering.ask(1))
        await work.begun()
        second = gathering.ask(2)
        outcomes = await asyncio.gather(first, second, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [StoreUnavailable, StoreUnavailable]
        work.let_go.set()
        assert await gathering.ask(3) == 6

    asyncio.run(ask())

    assert 2 not in work.requests


def test_a_full_queue_is_heard_by_those_who_found_it_full() -> None:
    work = Work()
    work.let_go.clear()

    async def ask() -> None:
        gathering = Gathering(asyncio.get_running_loop(), Batching(work, max_waiting=2))
        first = asyncio.ensure_future(gathering.ask(1))
        await work.begun()
        others = [asyncio.ensure_future(gathering.ask(number)) for number in (2, 3, 4)]
        with pytest.raises(QueueFull):
            await others[2]
        work.let_go.set()
        assert await asyncio.gather(first, *others[:2]) == [2, 4, 6]

    asyncio.run(ask())


def test_a_batch_of_which_nobody_waits_any_more_does_not_end_the_hand_over() -> None:
    """Else the front would never store another callback once a commit had hung."""
    work = Work()
    work.let_go.clear()

    async def ask() -> None:
        batching = Batching(work, patience=0.05)
        gathering = Gathering(asyncio.get_running_loop(), batching)
        outcomes: list[object] = []
        for number in (1, 2, 3):
            ticket = asyncio.ensure_future(gathering.ask(number))
            await work.begun()
            outcomes += await asyncio.gather(ticket, return_exceptions=True)
        assert {type(outcome) for outcome in outcomes} == {StoreUnavailable}
        work.let_go.set()
        answered: list[int] = []
        async with asyncio.timeout(PATIENCE):
            while len(answered) < 2:
                with suppress(StoreUnavailable):  # on a slow machine
                    answered.append(await gathering.ask(4))
        assert answered == [8, 8]

    asyncio.run(ask())

    assert not {2, 3} & set(work.requests)
