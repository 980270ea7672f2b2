"""The Flask door: a view of plain values answers the request that Flask has in hand."""

from __future__ import annotations

from collections.abc import Callable

from flask import request

from api.errors import NoStreams
from api.http.bodies import whole_body
from api.http.callers.access import admitted, asked, known_to, services
from api.http.callers.visibility import visible_agent, visible_job
from api.http.grip.held_link import Held
from api.http.messages import Answer, Request, Result, View, Watch
from api.tokens import Principal, Scope
from api.wiring import Services
from domain.job.callback import Callback, RefusedCallback
from domain.writing.batch import Receipt
from projections.views.instance import Instance


class FlaskDoor:
    """Does at once what a view waits for; see `Door`."""

    def __init__(self, services: Services) -> None:
        self.services = services

    async def admit(self, request: Request, scope: Scope) -> Principal:
        """See `Door.admit`."""
        return admitted(request, known_to(self.services), self.services, scope)

    async def record(self, callback: Callback) -> Receipt:
        """See `Door.record`."""
        return self.services.milepost.record(callback)

    async def keep_refusal(self, refused: RefusedCallback) -> Receipt:
        """See `Door.keep_refusal`."""
        return self.services.milepost.keep_refusal(refused)

    async def instance_of(self, agent_id: str) -> Instance | None:
        """See `Door.instance_of`."""
        return self.services.reader.instance_of(agent_id)

    async def job(self, job_id: str) -> Instance | None:
        """See `Door.job`."""
        return self.services.reader.present(job_id)

    async def watch(self, watch: Watch) -> Answer:
        """See `Door.watch`: refuse, unless there is nothing to see."""
        if watch.job_id is not None:
            visible_job(self.services.reader.instance(watch.job_id), watch.caller)
        if watch.agent_id is not None:
            visible_agent(self.services.reader.instance_of(watch.agent_id), watch.caller)
        # A stream holds a thread for as long as somebody watches, and there are 32 of them.
        raise NoStreams

    async def hold(self, watch: Watch) -> Answer:
        """See `Door.hold`: this door lets no proxy hold a stream."""
        return await self.watch(watch)

    async def hold_on(self, held: Held, after: int) -> Answer:
        """See `Door.hold_on`: no stream is held."""
        raise NoStreams

    async def changed(self, watch: Watch, seconds: float) -> bool:
        """See `Door.changed`: the thread has other requests to answer."""
        return False

    async def apart(self, work: Callable[[], Result], caller: Principal) -> Result:
        """See `Door.apart`: the thread has nothing else to do."""
        return work()

    async def read_apart(
        self, work: Callable[[], Result], request: Request, job_id: str | None
    ) -> Result:
        """See `Door.read_apart`."""
        return work()

    async def verify_apart(self, work: Callable[[], Result], request: Request) -> Result:
        """See `Door.verify_apart`."""
        return work()

    async def together(self, question: Callable[[Services], Result]) -> Result:
        """See `Door.together`: the thread asks alone."""
        return question(self.services)


def through_flask(view: View, **parameters: str) -> Answer:
    """Return the view's answer to the present request, or raise what it raises."""
    body = whole_body() if request.method == "POST" else b""
    # A coroutine that is never made to wait runs to its end in one step; no event loop is needed.
    steps = view(asked(body), FlaskDoor(services()), **parameters).__await__()
    try:
        next(steps)
    except StopIteration as end:
        answer: Answer = end.value
        return answer
    raise RuntimeError(f"{view} waits for something that the Flask door does not do at once")
