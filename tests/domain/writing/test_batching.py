"""Group commit, with real threads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from threading import Barrier, Condition, Event, Lock, Thread
from time import monotonic
from typing import TypeVar

import pytest

from domain.errors import QueueFull, StoreUnavailable
from domain.writing.batching import GroupCommit

Done = TypeVar("Done")

PATIENCE = 20.0
"""How long a test waits for what must happen, before it fails."""


class Store:
    """Commits batches of numbers, each of which gets a text; a gate holds a commit up."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.entered = Event()
        self.gate = Event()
        self.gate.set()
        self.overlaps = 0
        self._at_work = Lock()

    def commit(self, requests: Sequence[int]) -> Sequence[str | Exception]:
        if not self._at_work.acquire(blocking=False):
            self.overlaps += 1
        self.batches.append(list(requests))
        self.entered.set()
        assert self.gate.wait(PATIENCE)
        self._at_work.release()
        return [f"done {request}" for request in requests]


class Queue(GroupCommit[int, str]):
    """A group commit whose submissions can be waited for."""

    def __init__(
        self,
        commit: Callable[[Sequence[int]], Sequence[str | Exception]],
        max_batch: int = 256,
        max_waiting: int = 4096,
    ) -> None:
        super().__init__(commit, max_batch, max_waiting)
        self._arrived = Condition(self._mutex)

    def wait_for(self, number: int) -> None:
        """Return once that many requests are waiting."""
        deadline = monotonic() + PATIENCE
        with self._arrived:
            while len(self._waiting) < number:
                assert monotonic() < deadline
                self._arrived.wait(0.001)


def started(call: Callable[[], Done]) -> Future[Done]:
    """Call in a thread of its own, which nobody waits for should it hang."""
    future = Future[Done]()

    def run() -> None:
        try:
            future.set_result(call())
        except BaseException as error:
            future.set_exception(error)

    Thread(target=run, daemon=True).start()
    return future


def submitted(queue: Queue, request: int) -> Future[str]:
    return started(lambda: queue.submit(request))


def submitted_in_order(queue: Queue, requests: range) -> list[Future[str]]:
    """Submit from a thread each, the next one when the last one waits."""
    futures = []
    for place, request in enumerate(requests, start=1):
        futures.append(submitted(queue, request))
        queue.wait_for(place)
    return futures


def results(futures: Sequence[Future[str]]) -> list[str]:
    return [future.result(PATIENCE) for future in futures]


def test_an_idle_queue_commits_at_once() -> None:
    store = Store()

    assert Queue(store.commit).submit(1) == "done 1"
    assert store.batches == [[1]]


def test_no_request_is_lost_or_doubled() -> None:
    """Twenty threads at once, and everyone gets the answer to their own request."""
    store, start = Store(), Barrier(20)
    queue = Queue(store.commit, max_batch=7)

    def work(worker: int) -> None:
        start.wait(PATIENCE)
        for number in range(worker * 100, worker * 100 + 50):
            assert queue.submit(number) == f"done {number}"

    for future in [started(partial(work, worker)) for worker in range(20)]:
        future.result(PATIENCE)

    committed = [request for batch in store.batches for request in batch]
    assert sorted(committed) == [
        number for worker in range(20) for number in range(worker * 100, worker * 100 + 50)
    ]
    assert store.overlaps == 0
    assert max(map(len, store.batches)) <= 7


def test_what_arrives_during_a_commit_is_committed_together_in_order_of_arrival() -> None:
    store = Store()
    queue = Queue(store.commit)
    store.gate.clear()

    first = submitted(queue, 0)
    assert store.entered.wait(PATIENCE)
    others = submitted_in_order(queue, range(1, 10))
    store.gate.set()

    assert results([first, *others]) == [f"done {number}" for number in range(10)]
    assert store.batches == [[0], list(range(1, 10))]


def test_a_batch_is_no_larger_than_allowed() -> None:
    store = Store()
    queue = Queue(store.commit, max_batch=4)
    store.gate.clear()

    first = submitted(queue, 0)
    assert store.entered.wait(PATIENCE)
    others = submitted_in_order(queue, range(1, 10))
    store.gate.set()
    results([first, *others])

    assert store.batches == [[0], [1, 2, 3, 4], [5, 6, 7, 8], [9]]


def test_one_commit_is_under_way_at_a_time() -> None:
    """While one is held up, nobody else begins."""
    store = Store()
    queue = Queue(store.commit)
    store.gate.clear()

    first = submitted(queue, 0)
    assert store.entered.wait(PATIENCE)
    others = submitted_in_order(queue, range(1, 5))
    assert store.batches == [[0]]
    store.gate.set()
    results([first, *others])

    assert store.overlaps == 0


def test_an_exception_for_one_request_goes_to_its_caller_only() -> None:
    store = Store()

    def commit(requests: Sequence[int]) -> Sequence[str | Exception]:
        done = store.commit(requests)
        return [
            KeyError(number) if number == 2 else outcome
            for number, outcome in zip(requests, done, strict=True)
        ]

    queue = Queue(commit)
    store.gate.clear()
    first = submitted(queue, 0)
    assert store.entered.wait(PATIENCE)
    one, two, three = submitted_in_order(queue, range(1, 4))
    store.gate.set()

    assert results([first, one, three]) == ["done 0", "done 1", "done 3"]
    with pytest.raises(KeyError, match="2"):
        two.result(PATIENCE)


def test_a_failing_commit_is_heard_by_everyone_in_its_batch_and_by_nobody_else() -> None:
    """And the next batch is committed as if nothing had been."""
    store = Store()

    def commit(requests: Sequence[int]) -> Sequence[str | Exception]:
        done = store.commit(requests)
        if 1 in requests:
            raise OSError("the disk is full")
        return done

    queue = Queue(commit, max_batch=3)
    store.gate.clear()
    first = submitted(queue, 0)
    assert store.entered.wait(PATIENCE)
    others = submitted_in_order(queue, range(1, 6))
    store.gate.set()

    for future in others[:3]:
        with pytest.raises(OSError, match="the disk is full"):
            future.result(PATIENCE)
    assert results([first, *others[3:]]) == ["done 0", "done 4", "done 5"]
    assert queue.submit(6) == "done 6"


def test_a_commit_that_is_interrupted_leaves_nobody_waiting() -> None:
    """Also an exception that is not an Exception reaches every caller."""
    store = Store()

    def commit(requests: Sequence[int]) -> Sequence[str | Exception]:
        done = store.commit(requests)
        if 0 in requests:
            raise SystemExit(3)
        return done

    queue = Queue(commit)
    store.gate.clear()
    first = submitted(queue, 0)
    assert store.entered.wait(PATIENCE)
    [second] = submitted_in_order(queue, range(1, 2))
    store.gate.set()

    with pytest.raises(SystemExit):
        first.result(PATIENCE)
    assert second.result(PATIENCE) == "done 1"


def test_a_full_queue_takes_no_more() -> None:
    """Whoever waits already is served all the same, and then there is room again."""
    store = Store()
    queue = Queue(store.commit, max_waiting=3)
    store.gate.clear()

    first = submitted(queue, 0)
    assert store.entered.wait(PATIENCE)
    others = submitted_in_order(queue, range(1, 4))
    with pytest.raises(QueueFull):
        queue.submit(4)
    store.gate.set()

    assert results([first, *others]) == ["done 0", "done 1", "done 2", "done 3"]
    assert queue.submit(5) == "done 5"
    assert 4 not in [request for batch in store.batches for request in batch]


def test_a_follower_of_a_commit_that_hangs_hears_so() -> None:
    """Who was not taken into the commit is surely not committed later."""
    began, let_go = Event(), Event()
    committed: list[str] = []

    def commit(requests: Sequence[str]) -> list[str]:
        began.set()
        let_go.wait(PATIENCE)
        committed.extend(requests)
        return list(requests)

    group = GroupCommit[str, str](commit, patience=0.05)
    with ThreadPoolExecutor(1) as pool:
        leader = pool.submit(group.submit, "first")
        assert began.wait(PATIENCE)
        with pytest.raises(StoreUnavailable):
            group.submit("second")
        let_go.set()
        assert leader.result(PATIENCE) == "first"

    assert group.submit("third") == "third"
    assert committed == ["first", "third"]


def test_followers_that_lose_patience_as_they_are_called_are_answered_all_the_same() -> None:
    """Patience may end in the very moment in which a follower is told to lead."""
    committed: list[int] = []

    def commit(requests: Sequence[int]) -> list[int]:
        committed.extend(requests)
        Event().wait(0.0002)  # about as long as a follower's patience
        return list(requests)

    group = GroupCommit[int, int](commit, patience=0.0002)
    answered: list[int] = []

    def submit(number: int) -> None:
        try:
            answered.append(group.submit(number))
        except StoreUnavailable:
            return

    with ThreadPoolExecutor(8) as pool:
        for future in [pool.submit(submit, number) for number in range(20_000)]:
            future.result(PATIENCE)

    assert len(committed) == len(set(committed))
    assert set(answered) <= set(committed)
    assert group.submit(-1) == -1, "nobody leads any more"
