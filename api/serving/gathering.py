"""Gathering: what views on the event loop ask at the same time goes to a batching together.

While a batch is under way, requests gather; they are handed over when its outcomes come. So an idle
loop hands over at once, and a busy one in batches that grow by themselves: each batch costs the
database, and the batching's thread, about the same whatever its size.
"""

from __future__ import annotations

from asyncio import AbstractEventLoop, Future
from collections.abc import Sequence
from typing import Any, Generic, TypeVar

from api.serving.deadlines import Deadlines
from domain.errors import QueueFull, StoreUnavailable
from domain.writing.batching import Batching, Ticket

Asked = TypeVar("Asked")
Outcome = TypeVar("Outcome")


class Gathering(Generic[Asked, Outcome]):
    """The event loop's side of a batching, and the inbox of its outcomes."""

    def __init__(self, loop: AbstractEventLoop, batching: Batching[Asked, Outcome]) -> None:
        self._loop = loop
        self._batching = batching
        self._gathered: list[Ticket[Asked, Outcome]] = []
        self._most_waiting = batching.max_waiting
        self._seen = 0
        self._under_way = 0
        self._deadlines = Deadlines[Ticket[Asked, Outcome]](
            loop, batching.patience, lambda ticket: ticket.tag.done(), self._expire
        )

    async def ask(self, request: Asked) -> Outcome:
        """Return the outcome of a request, or raise it.

        Raises `QueueFull` if too many wait, and `StoreUnavailable` if the outcome does not come in
        time.
        """
        if len(self._gathered) >= self._most_waiting:
            raise QueueFull
        future: Future[Outcome] = self._loop.create_future()
        ticket: Ticket[Asked, Outcome] = Ticket(request, self, future)
        self._deadlines.add(ticket)
        if not (self._gathered or self._under_way):
            self._hand_over_soon()
        self._gathered.append(ticket)
        return await future

    def settle(self, tickets: Sequence[Ticket[Any, Any]]) -> None:
        """See `Inbox.settle`: one wake-up of the loop for the whole batch."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._settled, tickets)

    def _settled(self, tickets: Sequence[Ticket[Any, Any]]) -> None:
        self._under_way -= len(tickets)
        _deliver(tickets)
        if self._gathered and not self._under_way:
            self._hand_over_soon()

    def _hand_over_soon(self) -> None:
        self._seen = 0
        self._loop.call_soon(self._hand_over)

    def _hand_over(self) -> None:
        most = self._batching.max_batch
        if self._seen < len(self._gathered) < most:
            # This round of the loop has brought some; the next one may bring more.
            self._seen = len(self._gathered)
            self._loop.call_soon(self._hand_over)
            return
        tickets, self._gathered = self._gathered[:most], self._gathered[most:]
        try:
            self._batching.post(tickets)
            self._under_way = len(tickets)
        except Exception as error:  # too many wait, or no thread can be had: every caller hears it
            for ticket in tickets:
                ticket.outcome = error
            _deliver(tickets)
            if self._gathered:
                self._hand_over_soon()

    def _expire(self, ticket: Ticket[Any, Any]) -> None:
        ticket.abandoned = True
        ticket.tag.set_exception(self._batching.overdue())


def _deliver(tickets: Sequence[Ticket[Any, Any]]) -> None:
    for ticket in tickets:
        future: Future[Any] = ticket.tag
        if future.done():  # its deadline has passed, or its client is gone
            continue
        if isinstance(ticket.outcome, BaseException):
            future.set_exception(_raisable(ticket.outcome))
        else:
            future.set_result(ticket.outcome)


def _raisable(outcome: BaseException) -> BaseException:
    # A future cannot raise what ends loops, threads and generators.
    if isinstance(outcome, Exception) and not isinstance(outcome, StopIteration):
        return outcome
    return StoreUnavailable(repr(outcome))
