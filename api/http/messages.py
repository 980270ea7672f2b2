"""Requests and answers as plain values, which a view takes and returns behind every door."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple, Protocol, TypeAlias, TypeVar

from api.http.headers import Headers
from api.tokens import Principal, Scope
from api.wiring import Services
from domain.job.callback import Callback, RefusedCallback
from domain.writing.batch import Receipt
from projections.views.instance import Instance

Result = TypeVar("Result")


class Request(NamedTuple):
    """A request. `path` and `query` are text, the path without percent signs; `body` is whole."""

    method: str
    path: str
    query: str
    header: Headers
    body: bytes = b""


class Answer(NamedTuple):
    """An answer. The door that sends it adds the length of the body."""

    status: int
    headers: Sequence[tuple[str, str]] = ()
    body: bytes = b""


class Door(Protocol):
    """What a view may wait for. The door decides what waiting means.

    Behind Flask a thread waits, and a view runs from beginning to end without a pause. On the
    event loop the view pauses, and what many views wait for is done together.
    """

    services: Services

    async def admit(self, header: Headers, scope: Scope) -> Principal:
        """Return the sender of a request with these headers, if its token grants the scope.

        Raises `MissingToken`, `InvalidToken` or `MissingScope`.
        """
        ...

    async def record(self, callback: Callback) -> Receipt:
        """Record a callback; see `Milepost.record`."""
        ...

    async def keep_refusal(self, refused: RefusedCallback) -> Receipt:
        """Keep a refused callback; see `Milepost.keep_refusal`."""
        ...

    async def instance_of(self, agent_id: str) -> Instance | None:
        """Return the instance of an agent's newest job; see `Reader.instance_of`."""
        ...

    async def apart(self, work: Callable[[], Result]) -> Result:
        """Return the result of work that computes for long, or raise what it raises."""
        ...

    async def read_apart(self, work: Callable[[], Result]) -> Result:
        """Return what is made of an authentic body that takes long to read, or raise the same.

        No request with a token holds it up.
        """
        ...

    async def together(self, question: Callable[[Services], Result]) -> Result:
        """Return the answer to a question, asked once for all who ask it at the same time."""
        ...


View: TypeAlias = Callable[..., Awaitable[Answer]]
"""Takes a `Request`, a `Door` and the parameters of its path; returns an answer, or raises."""

Parameters: TypeAlias = dict[str, Any]
