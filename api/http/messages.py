"""Requests and answers as plain values, which a view takes and returns behind every door."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeAlias, TypeVar

from api.http.grip.held_link import Held
from api.tokens import Principal, Scope
from api.wiring import Services
from domain.job.callback import Callback, RefusedCallback
from domain.writing.batch import Receipt
from projections.views.instance import Instance

if TYPE_CHECKING:  # the command line loads this module, and none of the web
    from api.http.headers import Headers

Result = TypeVar("Result")


class Request(NamedTuple):
    """A request. `path` and `query` are text, the path without percent signs; `body` is whole.

    `link` is the text of a signed link, which is not in the query any more. Clients see the path
    behind `prefix`. `is_secure` says of a request with a cookie that it came over TLS. `peer` is
    the address at the other end of the connection, and empty behind Flask.
    """

    method: str
    path: str
    query: str
    header: Headers
    body: bytes = b""
    link: str | None = None
    prefix: str = ""
    is_secure: bool = False
    peer: str = ""


class Sink(Protocol):
    """Where a stream goes: a connection. Every method returns at once."""

    @property
    def unsent(self) -> int:
        """How many bytes the reader has not taken yet."""
        ...

    def write(self, written: bytes) -> None:
        """Send bytes, after the bytes that wait already."""
        ...

    def close(self) -> None:
        """Close the connection once everything is sent."""
        ...

    def abort(self) -> None:
        """Close the connection at once."""
        ...


class Source(Protocol):
    """What a stream comes from. The connection calls it on the event loop.

    It calls `begin` at most once, and `gone` exactly once, whether the stream has begun or not.
    """

    def begin(self, sink: Sink) -> None:
        """Go on after the head of the answer."""
        ...

    def drained(self) -> None:
        """Go on writing: the reader has taken what was waiting."""
        ...

    def gone(self) -> None:
        """Forget the sink: its connection has ended."""
        ...


class Answer(NamedTuple):
    """An answer. The door that sends it adds the length of the body.

    With a `source`, the answer is a stream: it has no length, and ends with its connection.
    """

    status: int
    headers: Sequence[tuple[str, str]] = ()
    body: bytes = b""
    source: Source | None = None


class Watch(NamedTuple):
    """What somebody watches: a job, the newest job of an agent, or all jobs that he may see.

    `after` is the last position that he has seen. Of all jobs, the filters choose some, and so do
    `jobs` and `agents`: these jobs, and every job of these agents. With `only_when`, he learns when
    something happens, and no document.
    """

    caller: Principal
    after: int | None = None
    job_id: str | None = None
    agent_id: str | None = None
    filters: Mapping[str, str] = MappingProxyType({})
    jobs: frozenset[str] = frozenset()
    agents: frozenset[str] = frozenset()
    only_when: bool = False

    @property
    def is_of_all(self) -> bool:
        """Whether all jobs are watched, or some of them."""
        return self.job_id is None and self.agent_id is None

    @property
    def is_of_some(self) -> bool:
        """Whether jobs or agents are named, of all."""
        return bool(self.jobs or self.agents)


class Door(Protocol):
    """What a view may wait for. The door decides what waiting means.

    Behind Flask a thread waits, and a view runs from beginning to end without a pause. On the
    event loop the view pauses, and what many views wait for is done together.
    """

    services: Services

    async def admit(self, request: Request, scope: Scope) -> Principal:
        """Return the sender of a request, if the scope is granted to it.

        Raises `MissingToken`, `InvalidToken`, `InvalidLink`, `InvalidSession` or `MissingScope`.
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

    async def job(self, job_id: str) -> Instance | None:
        """Return a job's present instance; see `Reader.present`."""
        ...

    async def watch(self, watch: Watch) -> Answer:
        """Return a stream of what is watched; 204 if it has ended and nothing is new.

        Raises `JobNotFound` or `AgentNotFound`, `TooManyStreams`, or `NoStreams` behind Flask.
        """
        ...

    async def hold(self, watch: Watch) -> Answer:
        """Return an answer that lets a proxy hold a stream of a job, or of an agent (GRIP).

        The stream's link is a path of this server, as the proxy asks for it. Raises as `watch`
        does.
        """
        ...

    async def hold_on(self, held: Held, after: int) -> Answer:
        """Return what a held stream lacks after a position; let the proxy hold it further.

        Raises as `watch` does, `InvalidToken` or `MissingScope`.
        """
        ...

    async def changed(self, watch: Watch, seconds: float) -> bool:
        """Wait until something is new about what is watched; return False if this door cannot.

        Returns True after that many seconds, too.
        """
        ...

    async def apart(self, work: Callable[[], Result], caller: Principal) -> Result:
        """Return the result of this caller's work that computes for long, or raise the same."""
        ...

    async def read_apart(
        self, work: Callable[[], Result], request: Request, job_id: str | None
    ) -> Result:
        """Return what is made of an authentic body that takes long to read, or raise the same.

        No request with a token holds it up. Senders take turns: by `job_id`, whose own key signed,
        else by their addresses. Raises `QueueFull` if too much such work waits, or too much of it
        is this sender's.
        """
        ...

    async def verify_apart(self, work: Callable[[], Result], request: Request) -> Result:
        """Return who signed a request, which takes long to find out, or raise the same.

        Raises `QueueFull` if too much such work waits, or too much of it is from this address.
        """
        ...

    async def together(self, question: Callable[[Services], Result]) -> Result:
        """Return the answer to a question, asked once for all who ask it at the same time."""
        ...


View: TypeAlias = Callable[..., Awaitable[Answer]]
"""Takes a `Request`, a `Door` and the parameters of its path; returns an answer, or raises."""

Parameters: TypeAlias = dict[str, Any]
