"""Batching: requests that wait are worked on together, in one thread, in order of arrival.

The thread takes everything that waits as soon as it has finished the batch before. So an idle
batching adds no wait, and a busy one pays once for many requests: one fsync, or one statement.
The work never blocks a caller that posts: a caller in a thread waits for its outcome at most
`patience` seconds, an event loop gets the outcomes of a whole batch in one call.
"""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from threading import Lock, Thread
from typing import Any, Final, Generic, Protocol, TypeVar

from domain.errors import QueueFull, StoreUnavailable

Request = TypeVar("Request")
Result = TypeVar("Result")

MAX_BATCH: Final = 256
MAX_BATCH_BYTES: Final = 2 * 2**20
"""A batch ends with the request with which it weighs as many bytes."""
MAX_WAITING: Final = 4096
PATIENCE_SECONDS: Final = 15.0
"""How long a caller waits; longer than any batch of a database that answers."""
CLOSING_SECONDS: Final = 5.0
"""How long closing waits for the batch under way."""


class Ticket(Generic[Request, Result]):
    """A request that waits, and its outcome once there is one: a result, or what to raise.

    An `abandoned` ticket that is not in a batch yet is never worked on, and its outcome stays None.
    `tag` is the inbox's own.
    """

    __slots__ = ("abandoned", "inbox", "outcome", "request", "tag")

    def __init__(self, request: Request, inbox: Inbox, tag: Any = None) -> None:
        self.request = request
        self.inbox = inbox
        self.tag = tag
        self.outcome: Result | BaseException | None = None
        self.abandoned = False


class Inbox(Protocol):
    """Where outcomes go."""

    def settle(self, tickets: Sequence[Ticket[Any, Any]]) -> None:
        """Take the tickets of one batch, with their outcomes; return at once, never raise.

        The batching's thread calls this.
        """
        ...


class Batching(Generic[Request, Result]):
    """One thread that does all that waits at once.

    `work` takes requests and returns, for each, its result or the exception to raise in its
    caller. If `work` itself raises, every caller of the batch gets that. `weigh` says how many
    bytes a request counts for. The thread begins with the first request. It ends with `close`, or
    once no reference to the batching is left.
    """

    def __init__(
        self,
        work: Callable[[Sequence[Request]], Sequence[Result | Exception]],
        *,
        name: str = "batching",
        weigh: Callable[[Request], int] = lambda _: 0,
        max_batch: int = MAX_BATCH,
        max_waiting: int = MAX_WAITING,
        patience: float = PATIENCE_SECONDS,
    ) -> None:
        self.patience = patience
        self._work = work
        self._name = name
        self._weigh = weigh
        self._max_batch = max_batch
        self._max_waiting = max_waiting
        self._queue: SimpleQueue[Sequence[Ticket[Request, Result]] | None] = SimpleQueue()
        self._waiting = 0
        self._counting = Lock()
        self._starting = Lock()
        self._thread: Thread | None = None
        weakref.finalize(self, self._queue.put, None)

    def submit(self, request: Request) -> Result:
        """Return the request's result.

        Raises `QueueFull` if too many wait, and `StoreUnavailable` if there is no outcome within
        `patience` seconds; a request whose batch had begun may then be done all the same.
        """
        call = _Call()
        ticket: Ticket[Request, Result] = Ticket(request, call)
        self.post([ticket])
        try:
            is_done = call.done.acquire(timeout=self.patience)
        except BaseException:  # Ctrl-C in the waiting thread: nobody wants the outcome any more
            ticket.abandoned = True
            raise
        ticket.abandoned = not is_done
        outcome = ticket.outcome
        if outcome is None:
            raise self.overdue()
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    def post(self, tickets: Sequence[Ticket[Request, Result]]) -> None:
        """Let requests wait; each ticket goes to its inbox with its outcome.

        Raises `QueueFull` if too many wait, and then takes none of them. Never blocks.
        """
        with self._counting:
            if self._waiting + len(tickets) > self._max_waiting:
                raise QueueFull
            self._waiting += len(tickets)
        self._queue.put(tickets)
        if self._thread is None:
            self._start()

    def overdue(self) -> StoreUnavailable:
        """Return the error of a request that has waited for longer than `patience` seconds."""
        return StoreUnavailable(f"the {self._name} has not answered for {self.patience:g} s")

    @property
    def max_batch(self) -> int:
        """The number of requests that are worked on together, at most."""
        return self._max_batch

    @property
    def max_waiting(self) -> int:
        """The number of requests that may wait, at most."""
        return self._max_waiting

    @property
    def waiting(self) -> int:
        """The number of requests that the thread has not begun."""
        return self._waiting

    def close(self) -> None:
        """End the thread once it has done what waits; give up after some seconds.

        While the interpreter ends, no thread but the main one runs, so nobody waits for it.
        """
        with self._starting:
            thread = self._thread
        if thread is not None and not sys.is_finalizing():
            self._queue.put(None)
            thread.join(CLOSING_SECONDS)

    def _start(self) -> None:
        with self._starting:
            if self._thread is None:
                thread = Thread(
                    target=_serve,
                    args=(self._queue, weakref.ref(self)),
                    name=self._name,
                    daemon=True,  # a database that hangs must not keep a process alive
                )
                thread.start()
                self._thread = thread  # only now: a later request tries again if this one failed

    def _take(self, tickets: Sequence[Ticket[Request, Result]]) -> None:
        with self._counting:
            self._waiting -= len(tickets)
        batch: list[Ticket[Request, Result]] = []
        size = 0
        for ticket in tickets:
            batch.append(ticket)
            size += self._weigh(ticket.request)
            if len(batch) == self._max_batch or size >= MAX_BATCH_BYTES:
                self._do(batch)
                batch, size = [], 0
        if batch:
            self._do(batch)

    def _do(self, batch: Sequence[Ticket[Request, Result]]) -> None:
        tickets = [ticket for ticket in batch if not ticket.abandoned]
        try:
            results = self._work([ticket.request for ticket in tickets]) if tickets else ()
            for ticket, result in zip(tickets, results, strict=True):
                ticket.outcome = result
        except BaseException as error:  # a refusal, a bug or an exit: it belongs to the callers
            for ticket in tickets:
                ticket.outcome = error
        # An inbox hears of abandoned tickets, too: it may count what it has posted.
        by_inbox: dict[Inbox, list[Ticket[Request, Result]]] = {}
        for ticket in batch:
            by_inbox.setdefault(ticket.inbox, []).append(ticket)
        for inbox, settled in by_inbox.items():
            inbox.settle(settled)


class _Call:
    """The inbox of one caller that waits in its own thread."""

    __slots__ = ("done",)

    def __init__(self) -> None:
        self.done = Lock()
        self.done.acquire()

    def settle(self, tickets: Sequence[Ticket[Any, Any]]) -> None:
        self.done.release()


def _serve(
    queue: SimpleQueue[Sequence[Ticket[Request, Result]] | None],
    # A weak reference, so that an unused batching is collected, and its thread ends.
    batching: weakref.ref[Batching[Request, Result]],
) -> None:
    while (first := queue.get()) is not None:
        tickets = [*first, *_all_that_waits(queue)]
        if (present := batching()) is None:
            return
        present._take(tickets)
        # Drop every reference before waiting: the next request may come much later, and a reference
        # would keep the batching alive.
        del present, tickets, first


def _all_that_waits(
    queue: SimpleQueue[Sequence[Ticket[Request, Result]] | None],
) -> list[Ticket[Request, Result]]:
    waiting: list[Ticket[Request, Result]] = []
    while True:
        try:
            tickets = queue.get_nowait()
        except Empty:
            return waiting
        if tickets is None:
            queue.put(None)  # the end comes after these
            return waiting
        waiting += tickets
