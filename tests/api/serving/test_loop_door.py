"""The door on the event loop, with a real loop and real threads."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from functools import partial
from threading import Event, current_thread, main_thread
from typing import Any

import pytest
from msgspec import structs

from api.errors import InvalidSignature, UnknownStatus
from api.http.callers.proxies import Proxies
from api.http.messages import Request
from api.routes.callbacks.receiving import LARGE, MOST_HASHED, receive
from api.senders.signing_key import SigningKey
from api.senders.trusted import Senders
from api.serving.loop_door import BODY_THREADS, MOST_VERIFYING, LoopDoor
from api.serving.threads import MAX_WAITING, BoundedThreads
from api.wiring import Services
from domain.errors import QueueFull
from tests.support.web.connections import PATIENCE
from tests.support.web.site import SECRET, WEBHOOK, Site, like_jq, sign

DEEP = "[" * 40 + "]" * 40


class Body(bytes):
    """A body that knows whether it was read in the thread of the event loop."""

    is_read_on_loop = False

    def decode(self, *arguments: Any, **named: Any) -> str:
        """See `bytes.decode`: reading JSON begins with it."""
        self.is_read_on_loop |= current_thread() is main_thread()
        return super().decode(*arguments, **named)


def received(site: Site, body: Body, header: Mapping[str, str] | None = None) -> None:
    """Receive a callback on the event loop, a signed one unless there is another header."""

    async def ask() -> None:
        loop = asyncio.get_running_loop()
        threads = BoundedThreads(loop)
        door = LoopDoor(site.services, loop, threads, threads)
        given = header or {"X-Signature": sign(body)}
        try:
            await receive(Request("POST", WEBHOOK, "", given.get, body), door)
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


class Key(SigningKey):
    """Knows whether it signed on the thread of the event loop."""

    has_signed_on_loop = False

    def mac(self, message: bytes) -> hmac.HMAC:
        """See `SigningKey.mac`."""
        self.has_signed_on_loop |= current_thread() is main_thread()
        return super().mac(message)


@pytest.mark.parametrize(("count", "is_on_loop"), [(8, True), (16, False)])
def test_a_body_is_not_verified_with_many_keys_on_the_event_loop(
    memory_site: Site, count: int, is_on_loop: bool
) -> None:
    """Else a few large bodies of a stranger keep the loop from its sign of life."""
    keys = [Key(f"the secret of sender {number}") for number in range(count)]
    site = copy(memory_site)
    site.services = structs.replace(site.services, senders=Senders((SECRET,), named=keys))

    with pytest.raises(InvalidSignature):
        received(site, Body(MOST_HASHED // 12), {"X-Signature": "0" * 64})

    assert {key.has_signed_on_loop for key in keys} == {is_on_loop}


async def assert_another_is_let_in(
    flood: Sequence[asyncio.Task[bool]], ask: Callable[[], asyncio.Task[bool]], may_end: Event
) -> None:
    """Of one caller's flood some are refused; another caller, who asks after it, is answered."""
    await asyncio.sleep(0)
    other = ask()
    await asyncio.sleep(0)
    may_end.set()
    assert await other
    outcomes = await asyncio.gather(*flood, return_exceptions=True)
    assert {type(each) for each in outcomes} == {bool, QueueFull}


def test_a_sender_takes_no_more_places_for_reading_than_it_leaves_free(memory_site: Site) -> None:
    """Else who has the key of one job keeps the long errors of all others out."""
    may_end = Event()

    async def ask() -> None:
        loop = asyncio.get_running_loop()
        threads = BoundedThreads(loop)
        door = LoopDoor(memory_site.services, loop, threads, threads)

        def reading(sender: str) -> asyncio.Task[bool]:
            request = Request("POST", WEBHOOK, "", lambda _: None, peer="192.0.2.1")
            work = partial(may_end.wait, PATIENCE)
            return asyncio.create_task(door.read_apart(work, request, sender))

        flood = [reading("job-1") for _ in range(BODY_THREADS + MAX_WAITING)]
        await assert_another_is_let_in(flood, lambda: reading("job-2"), may_end)
        door.close()
        threads.close()

    asyncio.run(ask())


def test_an_address_takes_no_more_places_for_verifying_than_it_leaves_free(
    memory_site: Site,
) -> None:
    may_end = Event()

    async def ask() -> None:
        loop = asyncio.get_running_loop()
        threads = BoundedThreads(loop)
        proxies = Proxies(["127.0.0.1"])
        door = LoopDoor(memory_site.services, loop, threads, threads, proxies=proxies)

        def verifying(client: str) -> asyncio.Task[bool]:
            header = {"X-Forwarded-For": client}.get
            request = Request("POST", WEBHOOK, "", header, peer="127.0.0.1")
            work = partial(may_end.wait, PATIENCE)
            return asyncio.create_task(door.verify_apart(work, request))

        flood = [verifying("203.0.113.7") for _ in range(2 * MOST_VERIFYING)]
        await assert_another_is_let_in(flood, lambda: verifying("203.0.113.8"), may_end)
        door.close()
        threads.close()

    asyncio.run(ask())


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
