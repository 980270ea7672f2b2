"""The front: what strangers may hold up, and what they may not."""

from __future__ import annotations

import asyncio
from threading import Event

import msgspec
import pytest

from api.app import create_app
from api.routes.callbacks import LARGE
from api.serving.front import STRANGER_THREADS, WSGI_THREADS, Front
from api.serving.http1.incoming import Ends, Incoming
from api.serving.threads import MAX_WAITING, THREADS
from api.tokens.remembered import REMEMBERED_SECONDS, RememberedTokens
from tests.support.at_once import AtOnce
from tests.support.connections import PATIENCE
from tests.support.deployment import Deployment
from tests.support.seconds import Seconds
from tests.support.site import ADMIN, CALLBACKS, WEBHOOK, Site, like_jq, sign

ENDS = Ends(("192.0.2.1", 1), ("192.0.2.2", 2))


def incoming(method: str, target: str, body: bytes = b"", **fields: str) -> Incoming:
    given = {
        name.lower().replace("_", "-").encode(): each.encode() for name, each in fields.items()
    }
    return Incoming(method, target.encode(), "1.1", given, body, ENDS)


@pytest.mark.parametrize("token", ["", "Bearer mp_0123456789abcdef_guessed", "Basic eA=="])
def test_strangers_hold_few_threads_and_whoever_is_known_waits_for_none_of_them(
    memory: Deployment, token: str
) -> None:
    services = Site(memory).services
    app = create_app(services)
    may_end = Event()

    @app.get("/waits")
    def waits() -> str:
        may_end.wait(PATIENCE)
        return ""

    async def test() -> None:
        front = Front(app, services, asyncio.get_running_loop())
        waiting = incoming("GET", "/waits", Authorization=token)
        asked = [asyncio.create_task(front.answer(waiting)) for _ in range(4 * STRANGER_THREADS)]
        known = incoming("GET", "/api/jobs", Authorization=f"Bearer {ADMIN}")
        body = b'{"job_id": "job-1", "type": "heartbeat"}'
        signed = incoming("POST", f"{CALLBACKS}?stage=prod", body, X_Signature=sign(body))
        async with asyncio.timeout(PATIENCE):
            health = [
                incoming(method, target)
                for method in ("GET", "HEAD")
                for target in ("/livez", "/readyz", "/readyz?verbose")
            ]
            for each in (known, signed, *health):
                assert (await front.answer(each)).status == 200
        assert not any(task.done() for task in asked)
        may_end.set()
        assert {answer.status for answer in await asyncio.gather(*asked)} == {200}
        front.close()

    asyncio.run(test())


@pytest.mark.parametrize(
    ("target", "status"), [("/api/jobs", 200), ("/api/agents/agent-1/instance", 404)]
)
def test_a_sender_who_was_here_before_does_not_wait_among_strangers(
    memory: Deployment, target: str, status: int
) -> None:
    """A token is looked up again after 5 s: that must not end a page that polls, in a flood."""
    site, seconds = Site(memory), Seconds()
    tokens = RememberedTokens(memory.kit.tokens, seconds, AtOnce())
    services = msgspec.structs.replace(site.services, tokens=tokens)
    app = create_app(services)
    token = site.token("read")
    may_end = Event()

    @app.get("/waits")
    def waits() -> str:
        may_end.wait(PATIENCE)
        return ""

    async def test() -> None:
        front = Front(app, services, asyncio.get_running_loop())
        asks = incoming("GET", target, Authorization=f"Bearer {token}")
        assert (await front.answer(asks)).status == status
        flood = [
            asyncio.create_task(front.answer(incoming("GET", "/waits")))
            for _ in range(4 * STRANGER_THREADS)
        ]
        await asyncio.sleep(0)  # each of them is handed to the threads
        try:
            seconds.now += REMEMBERED_SECONDS + 1
            async with asyncio.timeout(PATIENCE / 2):
                assert (await front.answer(asks)).status == status
            assert not any(task.done() for task in flood)
        finally:
            may_end.set()
            await asyncio.gather(*flood)
            front.close()

    asyncio.run(test())


def test_no_flood_of_a_token_holds_up_a_large_callback(memory: Deployment) -> None:
    """A page's token may be lost to somebody: what workflows say is recorded all the same."""
    services = Site(memory).services
    app = create_app(services)
    may_end = Event()

    @app.get("/waits")
    def waits() -> str:
        may_end.wait(PATIENCE)
        return ""

    async def test() -> None:
        front = Front(app, services, asyncio.get_running_loop())
        waiting = incoming("GET", "/waits", Authorization=f"Bearer {ADMIN}")
        flood = [
            asyncio.create_task(front.answer(waiting)) for _ in range(THREADS + MAX_WAITING + 1)
        ]
        body = like_jq({"job_id": "job-1", "status": "provisioning", "extra": "e" * LARGE})
        signed = incoming("POST", CALLBACKS, body, X_Signature=sign(body))
        refused = like_jq({"job_id": "job-1", "status": "odd", "extra": "e" * LARGE})
        signed_too = incoming("POST", CALLBACKS, refused, X_Signature=sign(refused))
        await asyncio.wait(flood, return_when=asyncio.FIRST_COMPLETED)  # one is too many
        try:
            async with asyncio.timeout(PATIENCE / 2):
                assert (await front.answer(signed)).status == 200
                assert (await front.answer(signed_too)).status == 400
        finally:
            may_end.set()
            await asyncio.gather(*flood)
            front.close()

    asyncio.run(test())


def test_without_hot_routes_strangers_hold_few_threads_too(memory: Deployment) -> None:
    services = Site(memory).services
    app = create_app(services)
    may_end = Event()

    @app.get("/waits")
    def waits() -> str:
        may_end.wait(PATIENCE)
        return ""

    async def test() -> None:
        front = Front(app, services, asyncio.get_running_loop(), without_hot=True)
        waiting = incoming("GET", "/waits")
        most = WSGI_THREADS + MAX_WAITING + 1
        flood = [asyncio.create_task(front.answer(waiting)) for _ in range(most)]
        known = incoming("GET", "/api/jobs", Authorization=f"Bearer {ADMIN}")
        body = b'{"job_id": "job-1", "type": "heartbeat"}'
        paths = (CALLBACKS, WEBHOOK, f"{CALLBACKS}/job-1")
        signed = [incoming("POST", path, body, X_Signature=sign(body)) for path in paths]
        await asyncio.wait(flood, return_when=asyncio.FIRST_COMPLETED)  # some are too many
        try:
            async with asyncio.timeout(PATIENCE / 2):
                for each in (known, *signed):
                    assert (await front.answer(each)).status == 200
        finally:
            may_end.set()
            await asyncio.gather(*flood)
            front.close()

    asyncio.run(test())


def test_when_all_connections_are_taken_only_health_is_answered(memory: Deployment) -> None:
    site = Site(memory)

    async def test() -> None:
        front = Front(site.app, site.services, asyncio.get_running_loop())
        for path, status in (("/livez", 200), ("/readyz", 200), ("/api/docs", 503)):
            answer = await front.answer_when_full(incoming("GET", path))
            assert answer.status == status
        assert b"urn:milepost:problem:too-many-connections" in answer.body
        assert ("Retry-After", "2") in answer.headers
        front.close()

    asyncio.run(test())
