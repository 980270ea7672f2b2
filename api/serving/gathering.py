"""Gathering: what views on the event loop ask at the same time goes to a batching together.

A request is handed over once the loop has run through everything that had arrived by then, or once
`MOST` requests are gathered. So an idle loop hands over at once, and a busy one in large batches:
each batch costs the database, and the batching's thread, about the same whatever its size.
"""

from __future__ import annotations

from asyncio import AbstractEventLoop, Future
from collections.abc import Sequence
from typing import Any, Final, Generic, TypeVar

from api.serving.deadlines import Deadlines
from domain.errors import StoreUnavailable
from domain.writing.batching import Batching, Ticket

Asked = TypeVar("Asked")
Outcome = TypeVar("Outcome")

MOST: Final = 64
"""How many requests are gathered before they are handed over, however busy the loop is."""


class Gathering(Generic[Asked, Outcome]):
    """The event loop's side of a batching, and the inbox of its outcomes."""

    def __init__(self, loop: AbstractEventLoop, batching: Batching[Asked, Outcome]) -> None:
        self._loop = loop
        self._batching = batching
        self._gathered: list[Ticket[Asked, Outcome]] = []
        self._seen = 0
        self._deadlines = Deadlines[Ticket[Asked, Outcome]](
            loop, batching.patience, lambda ticket: ticket.tag.done(), self._expire
        )

    async def ask(self, request: Asked) -> Outcome:
        """Return the outcome of a request, or raise it.

        Raises `QueueFull` if too many wait, and `StoreUnavailable` if the outcome does not come in
        time.
        """
        future: Future[Outcome] = self._loop.create_future()
        ticket: Ticket[Asked, Outcome] = Ticket(request, self, future)
        self._deadlines.add(ticket)
        if not self._gathered:
            self._seen = 0
            self._loop.call_soon(self._hand_over)
        self._gathered.append(ticket)
        return await future

    def settle(self, tickets: Sequence[Ticket[Any, Any]]) -> None:
        """See `Inbox.settle`: one wake-up of the loop for the whole batch."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(_deliver, tickets)

    def _hand_over(self) -> None:
        gathered = len(self._gathered)
        if self._seen < gathered < MOST:
            # This round of the loop has brought some; the next one may bring more.
            self._seen = gathered
            self._loop.call_soon(self._hand_over)
            return
        tickets, self._gathered = self._gathered, []
        try:
            self._batching.post(tickets)
        except Exception as error:  # too many wait, or no thread can be had: every caller hears it
            for ticket in tickets:
                ticket.outcome = error
            _deliver(tickets)

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
