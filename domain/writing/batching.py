"""Group commit by leader and followers.

A caller that finds no commit under way becomes the leader and commits at once whatever has queued;
callers that arrive meanwhile queue up, and the first of them leads the next commit. No thread of
its own, no added latency when idle, one fsync for many when busy.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from threading import Lock
from typing import Generic, TypeVar

from domain.errors import QueueFull, StoreUnavailable

Request = TypeVar("Request")
Result = TypeVar("Result")

MAX_BATCH = 256
MAX_WAITING = 4096
PATIENCE_SECONDS = 15.0
"""How long a follower waits; longer than any commit of a database that answers."""


class GroupCommit(Generic[Request, Result]):
    """Collect what many threads want committed and commit it together, in order of arrival.

    `commit` takes requests and returns, for each, its result or the exception to raise in its
    caller. If `commit` itself raises, nothing of the batch was stored and every caller hears so.
    """

    def __init__(
        self,
        commit: Callable[[Sequence[Request]], Sequence[Result | Exception]],
        max_batch: int = MAX_BATCH,
        max_waiting: int = MAX_WAITING,
        patience: float = PATIENCE_SECONDS,
    ) -> None:
        self._commit = commit
        self._max_batch = max_batch
        self._max_waiting = max_waiting
        self._patience = patience
        self._mutex = Lock()
        self._waiting: deque[_Ticket[Request, Result]] = deque()
        self._committing = False

    def submit(self, request: Request) -> Result:
        """Return the request's result once it is committed.

        Raises `QueueFull` if too many wait, and `StoreUnavailable` if no commit ends in time; then
        the request may yet be committed if its commit had begun.
        """
        ticket = _Ticket[Request, Result](request)
        with self._mutex:
            if len(self._waiting) >= self._max_waiting:
                raise QueueFull
            self._waiting.append(ticket)
            leads = not self._committing
            self._committing = True
        if not leads and not ticket.called.acquire(timeout=self._patience):
            self._give_up(ticket)
        if ticket.outcome is None:
            self._lead()
        assert ticket.outcome is not None
        if isinstance(ticket.outcome, BaseException):
            raise ticket.outcome
        return ticket.outcome

    def _give_up(self, ticket: _Ticket[Request, Result]) -> None:
        """Stop waiting for a commit that hangs, unless it has just ended."""
        with self._mutex:
            is_called = ticket.leads or ticket.outcome is not None
            if not is_called and ticket in self._waiting:
                self._waiting.remove(ticket)
        if is_called:
            # The call is on its way; it has to arrive before this ticket may call others.
            ticket.called.acquire()
            return
        raise StoreUnavailable(f"no commit has ended for {self._patience} s")

    def _lead(self) -> None:
        with self._mutex:
            size = min(len(self._waiting), self._max_batch)
            batch = [self._waiting.popleft() for _ in range(size)]
        try:
            outcomes: Sequence[Result | BaseException] = self._commit([t.request for t in batch])
        except BaseException as error:  # also Ctrl-C: no follower may be left waiting for ever
            outcomes = [error] * size
        for ticket, outcome in zip(batch, outcomes, strict=True):
            ticket.outcome = outcome
        with self._mutex:
            successor = self._waiting[0] if self._waiting else None
            self._committing = successor is not None
            if successor:
                successor.leads = True
        for ticket in batch:
            ticket.called.release()
        if successor:
            successor.called.release()


class _Ticket(Generic[Request, Result]):
    """A request in the queue; `called` opens when it is committed, or is to lead."""

    __slots__ = ("called", "leads", "outcome", "request")

    def __init__(self, request: Request) -> None:
        self.request = request
        self.outcome: Result | BaseException | None = None
        self.leads = False
        self.called = Lock()
        self.called.acquire()
