"""The front: what strangers may hold up, and what they may not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from threading import Event
from urllib.parse import unquote

import msgspec
import pytest

from api.app import create_app
from api.http.messages import Answer
from api.routes.callbacks.receiving import LARGE
from api.serving.front import STRANGER_THREADS, Front
from api.serving.http1.incoming import Ends, Incoming
from api.serving.threads import MAX_WAITING, THREADS
from api.tokens.remembered import REMEMBERED_SECONDS, RememberedTokens
from api.wiring import Services
from tests.support.projectors.at_once import AtOnce
from tests.support.projectors.seconds import Seconds
from tests.support.stores.deployment import Deployment
from tests.support.web.connections import PATIENCE
from tests.support.web.site import ADMIN, CALLBACKS, WEBHOOK, Site, like_jq, sign

ENDS = Ends(("192.0.2.1", 1), ("192.0.2.2", 2))


def incoming(
    method: str, target: str, body: bytes = b"", ends: Ends = ENDS, **fields: str
) -> Incoming:
    given = {
        name.lower().replace("_", "-").encode(): each.encode() for name, each in fields.items()
    }
    return Incoming(method, target.encode(), "1.1", given, body, ends)


class Flood:
    """A front that is asked for `/waits` and does not answer it before the end."""

    def __init__(self, services: Services, may_end: Event, *, without_hot: bool) -> None:
        app = create_app(services)

        @app.get("/waits")
        def waits() -> str:
            may_end.wait(PATIENCE)
            return ""

        loop = asyncio.get_running_loop()
        self.front = Front(app, services, loop, without_hot=without_hot)
        self.asked: list[asyncio.Task[Answer]] = []

    async def ask(self, times: int, authorization: str = "", ends: Ends = ENDS) -> None:
        """Ask so often for what waits; return when the front has all of that."""
        asked = incoming("GET", "/waits", b"", ends, Authorization=authorization)
        self.asked += [asyncio.create_task(self.front.answer(asked)) for _ in range(times)]
        await asyncio.sleep(0)

    async def one_is_too_many(self) -> Answer:
        """Wait for an answer, which is a refusal, and return it."""
        ended, _ = await asyncio.wait(self.asked, return_when=asyncio.FIRST_COMPLETED)
        return ended.pop().result()

    async def answers(self, asked: Incoming, status: int = 200) -> None:
        """Expect an answer while the flood goes on."""
        answer = await self.front.answer(asked)
        assert answer.status == status, answer


@asynccontextmanager
async def flood(services: Services, *, without_hot: bool = False) -> AsyncIterator[Flood]:
    """Yield a flood, and end it."""
    may_end = Event()
    made = Flood(services, may_end, without_hot=without_hot)
    try:
        async with asyncio.timeout(PATIENCE / 2):
            yield made
    finally:
        may_end.set()
        await asyncio.gather(*made.asked)
        made.front.close()


def signed(body: bytes, target: str = CALLBACKS) -> Incoming:
    return incoming("POST", target, body, X_Signature=sign(body))


KNOWN = f"Bearer {ADMIN}"
HEARTBEAT = b'{"job_id": "job-1", "type": "heartbeat"}'


@pytest.mark.parametrize("token", ["", "Bearer mp_0123456789abcdef_guessed", "Basic eA=="])
def test_strangers_hold_few_threads_and_whoever_is_known_waits_for_none_of_them(
    memory: Deployment, token: str
) -> None:
    async def test() -> None:
        async with flood(Site(memory).services) as made:
            await made.ask(4 * STRANGER_THREADS, token)
            await made.answers(incoming("GET", "/api/jobs", Authorization=KNOWN))
            await made.answers(signed(HEARTBEAT, f"{CALLBACKS}?stage=prod"))
            for method in ("GET", "HEAD"):
                for target in ("/livez", "/readyz", "/readyz?verbose"):
                    await made.answers(incoming(method, target))
            assert not any(task.done() for task in made.asked)
        assert {task.result().status for task in made.asked} == {200}

    asyncio.run(test())


@pytest.mark.parametrize("job_id", ["job-1", "job%201", "%C3%A4/b", "a;b", "a%25b/"])
def test_a_callback_waits_among_no_strangers_whatever_its_id_is(
    memory: Deployment, job_id: str
) -> None:
    async def test() -> None:
        async with flood(Site(memory).services) as made:
            await made.ask(4 * STRANGER_THREADS)
            body = like_jq({"job_id": unquote(job_id), "type": "heartbeat"})
            await made.answers(signed(body, f"{CALLBACKS}/{job_id}"))

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
    asks = incoming("GET", target, Authorization=f"Bearer {site.token('read')}")

    async def test() -> None:
        async with flood(services) as made:
            await made.answers(asks, status)
            await made.ask(4 * STRANGER_THREADS)
            seconds.now += REMEMBERED_SECONDS + 1
            await made.answers(asks, status)
            assert not any(task.done() for task in made.asked)

    asyncio.run(test())


def test_no_flood_of_a_token_holds_up_a_large_callback(memory: Deployment) -> None:
    """A page's token may be lost to somebody: what workflows say is recorded all the same."""

    async def test() -> None:
        async with flood(Site(memory).services) as made:
            await made.ask(THREADS + MAX_WAITING + 1, KNOWN)
            await made.one_is_too_many()
            for reported, status in (("provisioning", 200), ("odd", 400)):
                fields = {"job_id": "job-1", "status": reported, "extra": "e" * LARGE}
                await made.answers(signed(like_jq(fields)), status)

    asyncio.run(test())


def test_a_browser_that_cannot_be_answered_now_gets_a_page_that_says_so(
    memory: Deployment,
) -> None:
    page = incoming("GET", "/jobs", Authorization=KNOWN, Accept="text/html,*/*;q=0.8")

    async def test() -> None:
        async with flood(Site(memory).services) as made:
            await made.ask(THREADS + MAX_WAITING + 1, KNOWN)
            await made.one_is_too_many()
            answer = await made.front.answer(page)
            headers = dict(answer.headers)
            assert answer.status in (429, 503)
            assert headers["Content-Type"] == "text/html; charset=utf-8"
            assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
            assert headers["Retry-After"] == "2"
            assert b"Try again" in answer.body

    asyncio.run(test())


def test_no_flood_of_one_user_takes_the_places_of_another(memory: Deployment) -> None:
    """Nor of the same user by another token of his."""
    site = Site(memory)
    first, second = (f"Bearer {site.token('read', user_id='user-1')}" for _ in range(2))
    other = incoming("GET", "/api/jobs?limit=1", Authorization=f"Bearer {site.token('read')}")
    asks = [incoming("GET", "/api/jobs?limit=1", Authorization=each) for each in (first, second)]

    async def test() -> None:
        async with flood(site.services) as made:
            for each in (*asks, other):
                await made.answers(each)  # from now on, Milepost knows its token
            await made.ask(THREADS - 1, first)
            await made.ask(MAX_WAITING, second)
            refusal = await made.one_is_too_many()
            assert refusal.status == 429
            assert b"urn:milepost:problem:too-many-requests" in refusal.body
            assert ("Retry-After", "2") in refusal.headers
            await made.answers(asks[0], 429)
            waits = asyncio.create_task(made.front.answer(other))
            await asyncio.sleep(0)
            assert not waits.done()
        assert (await waits).status == 200

    asyncio.run(test())


@pytest.mark.parametrize(
    "target", ["/api/jobs?limit=1", "/api/agents/agent-1/instance", "/sign-in"]
)
@pytest.mark.parametrize("is_proxied", [False, True])
def test_no_flood_of_one_address_takes_the_places_of_another(
    memory: Deployment, target: str, is_proxied: bool
) -> None:
    """Else a stranger keeps each new token out, and everybody who would sign in."""
    site = Site(memory, trusted_proxies=[ENDS.client[0]] if is_proxied else [])
    ends = ENDS if is_proxied else Ends(("192.0.2.7", 1), ENDS.server)
    first_use = {"Authorization": f"Bearer {site.token('read')}", "X_Forwarded_For": "203.0.113.7"}
    asks = incoming("GET", target, b"", ends, **first_use)

    async def test() -> None:
        async with flood(site.services) as made:
            await made.ask(STRANGER_THREADS + MAX_WAITING)
            refusal = await made.one_is_too_many()
            assert refusal.status == 429
            waits = asyncio.create_task(made.front.answer(asks))
            await asyncio.sleep(0)
            assert not waits.done()
        assert (await waits).status in (200, 404)

    asyncio.run(test())


def test_without_hot_routes_strangers_hold_few_threads_too(memory: Deployment) -> None:
    async def test() -> None:
        async with flood(Site(memory).services, without_hot=True) as made:
            await made.ask(STRANGER_THREADS + MAX_WAITING)
            assert (await made.one_is_too_many()).status == 429
            await made.answers(incoming("GET", "/api/jobs", Authorization=KNOWN))
            for path in (CALLBACKS, WEBHOOK, f"{CALLBACKS}/job-1"):
                await made.answers(signed(HEARTBEAT, path))

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
