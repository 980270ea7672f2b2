"""Batching, with real threads."""

from __future__ import annotations

import gc
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from queue import SimpleQueue
from threading import Barrier, Event, Lock, Thread
from time import monotonic
from typing import Any, TypeVar

import pytest

from domain.errors import QueueFull, StoreUnavailable
from domain.writing.batching import Batching, Ticket

Done = TypeVar("Done")

NEVER_CLOSED = """
from queue import SimpleQueue
from domain.writing import batching

class Application:
    def __init__(self):
        # Its thread must refer to nothing of this program, or that would not be deleted.
        self.batching = batching.Batching(SimpleQueue().get)
    def __del__(self):
        self.batching.close()

batching.CLOSING_SECONDS = 3600
application = Application()
application.batching.post([batching.Ticket(1, None)])
while application.batching.waiting:
    pass
"""
"""A program that ends while a batch hangs. The interpreter then deletes what the program has."""

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


class Queue(Batching[int, str]):
    """A batching whose submissions can be waited for."""

    def wait_for(self, number: int) -> None:
        """Return once that many requests are waiting."""
        deadline = monotonic() + PATIENCE
        while self.waiting < number:
            assert monotonic() < deadline
            Event().wait(0.001)


class Letters:
    """An inbox that keeps what it gets, a list for each batch."""

    def __init__(self) -> None:
        self.batches: SimpleQueue[list[tuple[object, object]]] = SimpleQueue()

    def settle(self, tickets: Sequence[Ticket[Any, Any]]) -> None:
        self.batches.put([(ticket.tag, ticket.outcome) for ticket in tickets])


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


def test_every_caller_of_work_that_hangs_has_a_deadline() -> None:
    """The first caller, too. A request that was not begun in time is never done later."""
    began, let_go = Event(), Event()
    committed: list[str] = []

    def commit(requests: Sequence[str]) -> list[str]:
        began.set()
        let_go.wait(PATIENCE)
        committed.extend(requests)
        return list(requests)

    batching = Batching[str, str](commit, name="committer", patience=0.05)
    first = started(lambda: batching.submit("first"))
    assert began.wait(PATIENCE)
    with pytest.raises(StoreUnavailable, match="committer has not answered"):
        batching.submit("second")
    with pytest.raises(StoreUnavailable):
        first.result(PATIENCE)
    let_go.set()

    assert batching.submit("third") == "third"
    assert committed == ["first", "third"]


def test_callers_that_lose_patience_as_they_are_answered_get_one_or_the_other() -> None:
    """Patience may end in the very moment in which the outcome comes."""
    committed: list[int] = []

    def commit(requests: Sequence[int]) -> list[int]:
        committed.extend(requests)
        Event().wait(0.0002)  # about as long as a caller's patience
        return list(requests)

    batching = Batching[int, int](commit, patience=0.0002)
    answered: list[int] = []

    def submit(number: int) -> None:
        try:
            answered.append(batching.submit(number))
        except StoreUnavailable:
            return

    with ThreadPoolExecutor(8) as pool:
        for future in [pool.submit(submit, number) for number in range(5_000)]:
            future.result(PATIENCE)

    assert len(committed) == len(set(committed))
    assert set(answered) <= set(committed)
    batching.patience = PATIENCE
    assert batching.submit(-1) == -1, "the thread has ended"


def test_posting_never_waits_and_a_batch_is_settled_in_one_call() -> None:
    store, letters = Store(), Letters()
    queue = Queue(store.commit)
    store.gate.clear()

    queue.post([Ticket(0, letters, "a")])
    assert store.entered.wait(PATIENCE)
    queue.post([Ticket(1, letters, "b"), Ticket(2, letters, "c")])
    store.gate.set()

    assert letters.batches.get(timeout=PATIENCE) == [("a", "done 0")]
    assert letters.batches.get(timeout=PATIENCE) == [("b", "done 1"), ("c", "done 2")]


def test_an_abandoned_ticket_is_not_worked_on() -> None:
    store, letters = Store(), Letters()
    queue = Queue(store.commit)
    store.gate.clear()

    queue.post([Ticket(0, letters)])
    assert store.entered.wait(PATIENCE)
    ticket: Ticket[int, str] = Ticket(1, letters)
    queue.post([ticket])
    ticket.abandoned = True
    queue.post([Ticket(2, letters)])
    store.gate.set()
    letters.batches.get(timeout=PATIENCE)
    letters.batches.get(timeout=PATIENCE)

    assert store.batches == [[0], [2]]


def test_work_that_returns_too_few_results_is_an_error_for_every_caller() -> None:
    """Nobody gets another caller's result, and the thread lives on."""
    batching = Batching[int, int](lambda requests: [] if 1 in requests else list(requests))

    with pytest.raises(ValueError, match="shorter"):
        batching.submit(1)

    assert batching.submit(2) == 2


def test_closing_does_what_waits() -> None:
    store, letters = Store(), Letters()
    queue = Queue(store.commit)
    store.gate.clear()
    queue.post([Ticket(0, letters)])
    assert store.entered.wait(PATIENCE)
    queue.post([Ticket(1, letters)])
    closed = started(queue.close)
    store.gate.set()

    closed.result(PATIENCE)

    assert store.batches == [[0], [1]]


def test_the_thread_ends_with_its_batching() -> None:
    """A program that opens and forgets stores must not gather threads."""
    batching = Batching[int, int](list, name="forgotten")
    batching.submit(1)
    [thread] = [each for each in threading.enumerate() if each.name == "forgotten"]

    del batching
    gc.collect()

    thread.join(PATIENCE)
    assert not thread.is_alive()


def test_at_the_end_of_the_interpreter_nobody_waits_for_a_thread_that_runs_no_more() -> None:
    """Python 3.14 refuses to wait there, and older ones wait in vain."""
    done = subprocess.run(
        [sys.executable, "-c", NEVER_CLOSED], capture_output=True, timeout=60, check=True
    )

    assert done.stderr == b""
