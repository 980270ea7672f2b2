"""The door on the event loop: a view pauses, and what many views wait for is done together.

Callbacks go to the committer's thread, reads to a reader's thread, each gathered into batches.
"""

from __future__ import annotations

from asyncio import AbstractEventLoop
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Any, Final, TypeAlias

from api.errors import BadRequest, TooManyRequests
from api.http.callers.access import Known, admitted, known_to, visitor
from api.http.callers.proxies import NO_PROXIES, Proxies
from api.http.grip.held_link import Held
from api.http.messages import Answer, Request, Result, Watch
from api.serving.gathering import Gathering
from api.serving.http1.bounds.addresses import site_of
from api.serving.streams.audience import BOUNDS, Audience, Bounds
from api.serving.streams.holding import Holding
from api.serving.threads import BoundedThreads
from api.sessions import Session
from api.sessions.remembered import RememberedSessions
from api.tokens import Principal, Scope, Token
from api.tokens.remembered import RememberedTokens
from api.wiring import Services
from domain.errors import QueueFull
from domain.job.callback import Callback, RefusedCallback
from domain.job.commands.callbacks import KeepRefusal
from domain.writing.batch import Receipt
from domain.writing.batching import Batching
from projections.views.instance import Instance

BODY_THREADS: Final = 2
"""How many threads read large callbacks.

Were they those of Flask, one token that asks for many pages at once would turn callbacks away.
"""
VERIFYING_THREADS: Final = 1
"""How many threads verify what takes long to verify: large bodies, where there are many keys."""
MOST_VERIFYING: Final = 32
"""How many such bodies may wait, of up to 1 MiB each."""

Question: TypeAlias = Callable[[Services], Any]


class LoopDoor:
    """Answers what views wait for without ever blocking the loop; see `Door`."""

    def __init__(
        self,
        services: Services,
        loop: AbstractEventLoop,
        threads: BoundedThreads,
        strangers: BoundedThreads,
        streams: Bounds = BOUNDS,
        proxies: Proxies = NO_PROXIES,
    ) -> None:
        self.services = services
        self._loop = loop
        self._threads = threads
        self._strangers = strangers
        self._bodies = BoundedThreads(loop, BODY_THREADS)
        self._verifying = BoundedThreads(loop, VERIFYING_THREADS, most_waiting=MOST_VERIFYING)
        self._proxies = proxies
        self._milepost = services.milepost
        tokens, sessions = services.tokens, services.sessions
        self._known = known_to(services)
        self._remembered = Known(_RememberedTokens(tokens), _RememberedSessions(sessions))
        self._recognised = Known(_RecognisedTokens(tokens), _RecognisedSessions(sessions))
        self._receipts = Gathering(loop, services.milepost.committer)
        self._reading = Batching[str, Instance | None](services.reader.instances_of, name="reader")
        self._instances = Gathering(loop, self._reading)
        self._reading_jobs = Batching[str, Instance | None](services.reader.each, name="job reader")
        self._jobs = Gathering(loop, self._reading_jobs)
        self._audience = Audience(services, loop, threads, streams)
        self._holding = Holding(services, loop)
        self._asking = Batching[Question, Any](self._answers, name="health")
        self._questions = Gathering(loop, self._asking)

    async def admit(self, request: Request, scope: Scope) -> Principal:
        """See `Door.admit`; what is not remembered is looked up in a thread."""
        try:
            return admitted(request, self._remembered, self.services, scope)
        except _NotRemembered:
            look_up = partial(admitted, request, self._known, self.services, scope)
        if known := self.known(request):
            return await self._threads.run(look_up, known.sharer)
        return await self._strangers.run(look_up, self._site(request))

    def known(self, request: Request) -> Principal | None:
        """Return a request's sender if its token or session was valid when it was last looked up.

        Both are looked up again every 5 s. Their holder must not wait among strangers for that.
        """
        try:
            if request.link is None:
                return visitor(request, self._recognised, self.services)
            return admitted(request, self._recognised, self.services, "read")
        except (BadRequest, _NotRemembered):
            return None

    async def record(self, callback: Callback) -> Receipt:
        """See `Door.record`."""
        return await self._receipts.ask(self._milepost.recording(callback))

    async def keep_refusal(self, refused: RefusedCallback) -> Receipt:
        """See `Door.keep_refusal`."""
        return await self._receipts.ask(KeepRefusal(refused))

    async def instance_of(self, agent_id: str) -> Instance | None:
        """See `Door.instance_of`."""
        return await self._instances.ask(agent_id)

    async def job(self, job_id: str) -> Instance | None:
        """See `Door.job`."""
        return await self._jobs.ask(job_id)

    async def watch(self, watch: Watch) -> Answer:
        """See `Door.watch`."""
        return await self._audience.stream(watch)

    async def hold(self, watch: Watch) -> Answer:
        """See `Door.hold`."""
        return await self._holding.begin(watch)

    async def hold_on(self, held: Held, after: int) -> Answer:
        """See `Door.hold_on`."""
        return await self._holding.go_on(held, after)

    async def changed(self, watch: Watch, seconds: float) -> bool:
        """See `Door.changed`."""
        return await self._audience.changed(watch, seconds)

    async def apart(self, work: Callable[[], Result], caller: Principal) -> Result:
        """See `Door.apart`: a thread does it; raises what `BoundedThreads.run` raises."""
        return await self._threads.run(work, caller.sharer)

    async def read_apart(
        self, work: Callable[[], Result], request: Request, job_id: str | None
    ) -> Result:
        """See `Door.read_apart`: threads that have nothing else to do."""
        return await _callbacks(self._bodies, work, job_id or self._site(request))

    async def verify_apart(self, work: Callable[[], Result], request: Request) -> Result:
        """See `Door.verify_apart`: addresses take turns at a thread that has nothing else to do."""
        return await _callbacks(self._verifying, work, self._site(request))

    async def together(self, question: Callable[[Services], Result]) -> Result:
        """See `Door.together`; a thread of its own asks."""
        answer: Result = await self._questions.ask(question)
        return answer

    def _site(self, request: Request) -> str:
        return site_of(self._proxies.client_of(request.peer, request.header))

    def _answers(self, asked: Sequence[Question]) -> list[Any]:
        answers = {question: question(self.services) for question in set(asked)}
        return [answers[question] for question in asked]

    def finish(self) -> None:
        """End the streams, and what only waits for a change."""
        self._audience.finish()

    def close(self) -> None:
        """End the threads."""
        self._audience.close()
        self._holding.close()
        self._bodies.close()
        self._verifying.close()
        self._reading.close()
        self._reading_jobs.close()
        self._asking.close()


async def _callbacks(threads: BoundedThreads, work: Callable[[], Result], caller: str) -> Result:
    try:
        return await threads.run(work, caller)
    except TooManyRequests:  # routes of callbacks have no such answer
        raise QueueFull from None


class _NotRemembered(Exception):
    """The store of tokens or of sessions must be asked."""


class _RememberedTokens:
    """The tokens that are remembered; see `TokenLookup`."""

    def __init__(self, tokens: RememberedTokens) -> None:
        self._tokens = tokens

    def find(self, token_id: str) -> Token:
        token = self._tokens.remembered(token_id)
        if token is None:
            raise _NotRemembered
        return token

    def used(self, token: Token, now: datetime) -> None:
        self._tokens.used(token, now)


class _RememberedSessions:
    """The sessions that are remembered; see `SessionLookup`."""

    def __init__(self, sessions: RememberedSessions) -> None:
        self._sessions = sessions

    def find(self, hash_: str) -> Session:
        session = self._sessions.remembered(hash_)
        if session is None:
            raise _NotRemembered
        return session

    def seen(self, session: Session, now: datetime) -> None:
        self._sessions.seen(session, now)


class _RecognisedTokens:
    """The tokens that are or were remembered; no use of them is noted."""

    def __init__(self, tokens: RememberedTokens) -> None:
        self._tokens = tokens

    def find(self, token_id: str) -> Token:
        token = self._tokens.recognised(token_id)
        if token is None:
            raise _NotRemembered
        return token

    def used(self, token: Token, now: datetime) -> None:
        pass


class _RecognisedSessions:
    """The sessions that are or were remembered; no use of them is noted."""

    def __init__(self, sessions: RememberedSessions) -> None:
        self._sessions = sessions

    def find(self, hash_: str) -> Session:
        session = self._sessions.recognised(hash_)
        if session is None:
            raise _NotRemembered
        return session

    def seen(self, session: Session, now: datetime) -> None:
        pass
