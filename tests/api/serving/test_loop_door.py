"""The door on the event loop, with a real loop and real threads."""

from __future__ import annotations

import asyncio
from threading import Event, current_thread, main_thread
from typing import Any

import pytest

from api.errors import UnknownStatus
from api.http.messages import Request
from api.routes.callbacks.receiving import LARGE, receive
from api.serving.loop_door import LoopDoor
from api.serving.threads import BoundedThreads
from api.wiring import Services
from tests.support.web.connections import PATIENCE
from tests.support.web.site import WEBHOOK, Site, like_jq, sign

DEEP = "[" * 40 + "]" * 40


class Body(bytes):
    """A body that knows whether it was read in the thread of the event loop."""

    is_read_on_loop = False

    def decode(self, *arguments: Any, **named: Any) -> str:
        """See `bytes.decode`: reading JSON begins with it."""
        self.is_read_on_loop |= current_thread() is main_thread()
        return super().decode(*arguments, **named)


def received(site: Site, body: Body) -> None:
    """Receive a signed callback on the event loop."""

    async def ask() -> None:
        loop = asyncio.get_running_loop()
        threads = BoundedThreads(loop)
        door = LoopDoor(site.services, loop, threads, threads)
        header = {"X-Signature": sign(body)}.get
        try:
            await receive(Request("POST", WEBHOOK, "", header, body), door)
        finally:
            door.close()
            threads.close()

    asyncio.run(ask())


def body_with(status: str, size: int) -> Body:
    """Return a body of about this size whose values are nested too deep."""
    plain = like_jq({"job_id": "job-1", "status": status, "extra": 0})
    return Body(plain.replace(b"0", b"[%s]" % b",".join([DEEP.encode()] * (size // len(DEEP)))))


@pytest.mark.parametrize(("size", "is_read_on_loop"), [(LARGE // 2, True), (2 * LARGE, False)])
def test_a_large_body_is_not_read_on_the_event_loop(
    memory_site: Site, size: int, is_read_on_loop: bool
) -> None:
    taken, refused = body_with("provisioning", size), body_with("odd", size)

    received(memory_site, taken)
    with pytest.raises(UnknownStatus):
        received(memory_site, refused)

    assert [body.is_read_on_loop for body in (taken, refused)] == [is_read_on_loop] * 2
    kinds = [event["kind"] for event in memory_site.read("/api/jobs/job-1/events")["events"]]
    assert kinds[-1] == "CallbackRefused"


def test_a_question_is_asked_once_for_all_who_ask_it_at_the_same_time(memory_site: Site) -> None:
    asked: list[Services] = []
    may_answer = Event()

    def question(services: Services) -> int:
        asked.append(services)
        may_answer.wait(PATIENCE)
        return len(asked)

    async def ask() -> None:
        loop = asyncio.get_running_loop()
        threads = BoundedThreads(loop)
        door = LoopDoor(memory_site.services, loop, threads, threads)
        first = asyncio.create_task(door.together(question))
        while not asked:
            await asyncio.sleep(0.01)
        others = [asyncio.create_task(door.together(question)) for _ in range(100)]
        await asyncio.sleep(0)
        may_answer.set()
        assert await first == 1
        assert await asyncio.gather(*others) == [2] * 100
        door.close()
        threads.close()

    asyncio.run(ask())
    assert len(asked) == 2
