"""The door on the event loop: a view pauses, and what many views wait for is done together.

Commits wait for the committer's thread, reads for a reader's thread; each takes everything that
waits and answers with one call for all of it.
"""

from __future__ import annotations

from asyncio import AbstractEventLoop, Future
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Generic, TypeVar

from api.http.access import admitted
from api.http.headers import Headers
from api.serving.deadlines import Deadlines
from api.tokens import Principal, Scope, Token
from api.tokens.remembered import RememberedTokens
from api.wiring import Services
from domain.errors import StoreUnavailable
from domain.job.callback import Callback
from domain.writing.batch import Receipt
from domain.writing.batching import Batching, Ticket
from projections.views.instance import Instance

Outcome = TypeVar("Outcome")


class LoopDoor:
    """Answers what views wait for without ever blocking the loop; see `Door`."""

    def __init__(
        self,
        services: Services,
        loop: AbstractEventLoop,
        threads: ThreadPoolExecutor,
    ) -> None:
        self.services = services
        self._loop = loop
        self._threads = threads
        self._tokens = services.tokens
        self._remembered = _OnlyRemembered(services.tokens)
        self._admin_token = services.settings.admin_token
        milepost = services.milepost
        self._receipts = _Outcomes[Receipt](loop, milepost.patience, milepost.overdue)
        self._reading = Batching[str, Instance | None](services.reader.instances_of, name="reader")
        self._instances = _Outcomes[Instance | None](
            loop, self._reading.patience, self._reading.overdue
        )

    async def admit(self, header: Headers, scope: Scope) -> Principal:
        """See `Door.admit`; a token that is not remembered is looked up in a thread."""
        try:
            return admitted(header, self._remembered, self._admin_token, scope)
        except _NotRemembered:
            look_up = partial(admitted, header, self._tokens, self._admin_token, scope)
            return await self._loop.run_in_executor(self._threads, look_up)

    async def record(self, callback: Callback) -> Receipt:
        """See `Door.record`."""
        future: Future[Receipt] = self._loop.create_future()
        ticket = self.services.milepost.post(callback, self._receipts, future)
        return await self._receipts.of(ticket, future)

    async def instance_of(self, agent_id: str) -> Instance | None:
        """See `Door.instance_of`."""
        future: Future[Instance | None] = self._loop.create_future()
        ticket = self._reading.post(agent_id, self._instances, future)
        return await self._instances.of(ticket, future)

    def close(self) -> None:
        """End the reader's thread."""
        self._reading.close()


class _Outcomes(Generic[Outcome]):
    """The inbox of the loop: hands the outcomes of a batch to the futures that wait for them."""

    def __init__(
        self, loop: AbstractEventLoop, patience: float, overdue: Callable[[], Exception]
    ) -> None:
        self._loop = loop
        self._overdue = overdue
        self._deadlines = Deadlines[Ticket[Any, Any]](
            loop, patience, lambda ticket: ticket.tag.done(), self._expire
        )

    async def of(self, ticket: Ticket[Any, Outcome], future: Future[Outcome]) -> Outcome:
        """Return the ticket's outcome, or raise it; `StoreUnavailable` if it does not come."""
        self._deadlines.add(ticket)
        return await future

    def settle(self, tickets: Sequence[Ticket[Any, Any]]) -> None:
        """See `Inbox.settle`: one wake-up of the loop for the whole batch."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(_deliver, tickets)

    def _expire(self, ticket: Ticket[Any, Any]) -> None:
        ticket.abandoned = True
        ticket.tag.set_exception(self._overdue())


def _deliver(tickets: Sequence[Ticket[Any, Any]]) -> None:
    for ticket in tickets:
        future: Future[Any] = ticket.tag
        if future.done():  # its caller has lost patience, or is gone
            continue
        if isinstance(ticket.outcome, BaseException):
            future.set_exception(_raisable(ticket.outcome))
        else:
            future.set_result(ticket.outcome)


def _raisable(outcome: BaseException) -> BaseException:
    # A future cannot raise what ends loops and threads.
    return outcome if isinstance(outcome, Exception) else StoreUnavailable(repr(outcome))


class _NotRemembered(Exception):
    """The store of tokens must be asked."""


class _OnlyRemembered:
    """A store of the tokens that are remembered; see `TokenStore.find`."""

    def __init__(self, tokens: RememberedTokens) -> None:
        self._tokens = tokens

    def find(self, token_id: str) -> Token:
        token = self._tokens.remembered(token_id)
        if token is None:
            raise _NotRemembered
        return token
