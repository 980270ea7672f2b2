"""What is left of a thousand clients that end their connections in each possible way: nothing."""

from __future__ import annotations

import asyncio
import gc
import socket
import struct
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, NamedTuple
from weakref import WeakSet

import pytest
import uvloop

from api.http.messages import Answer
from api.serving.front import Front
from api.serving.http1.connection import Connection
from api.serving.http1.connections import Connections
from api.serving.http1.incoming import Incoming
from api.serving.threads import THREADS
from tests.support.web.connections import PATIENT, get, post
from tests.support.web.site import SECRET, WEBHOOK, Site, sign

CLIENTS: Final = 1_000
AT_ONCE: Final = 125
PATIENCE: Final = 100.0
"""A thousand clients take 6 s of CPU, and a busy machine has little of that to give."""
FILES: Final = Path("/proc/self/fd")
RESET: Final = struct.pack("ii", 1, 0)
QUICK: Final = PATIENT._replace(idle=0.5, body=0.5, write=0.5, linger=0.5)
LARGE: Final = bytes(1024 * 1024)
"""More bytes than the system's buffers hold for a client with a small window."""
CALLBACK: Final = b'{"job_id": "job-1", "type": "heartbeat"}'
SIGNED: Final = post(CALLBACK, f"X-Signature: {sign(CALLBACK, SECRET)}").replace(
    b"/post", WEBHOOK.encode()
)
PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
GOAWAY: Final = bytes([0, 0, 8, 7, 0, 0, 0, 0, 0]) + bytes(8)
H2C: Final = get("/livez", "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings:")


class Client:
    """A socket whose client may end it at any time."""

    def __init__(self, serving: Serving, connected: socket.socket) -> None:
        self.serving, self.connected = serving, connected
        self._loop = asyncio.get_running_loop()

    async def send(self, sent: bytes) -> None:
        """Send bytes, as far as the server takes them."""
        with suppress(ConnectionError):
            await self._loop.sock_sendall(self.connected, sent)

    async def ended(self) -> bytes:
        """Return what comes until the server ends the connection."""
        read = b""
        async with asyncio.timeout(PATIENCE):
            with suppress(ConnectionError):
                while piece := await self._loop.sock_recv(self.connected, 1 << 16):
                    read += piece
        return read

    def reset(self) -> None:
        """Break the connection."""
        self.connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self.connected.close()

    def half_close(self) -> None:
        """Send nothing more."""
        with suppress(OSError):
            self.connected.shutdown(socket.SHUT_WR)


class Left(NamedTuple):
    """What there is of clients in this process."""

    connections: int
    objects: int
    tasks: int
    files: int
    threads: int
    waiting: int
    unfinished: int
    unsent: int


MANY: Final = 1 << 40
NOBODY: Final = Left(0, 0, tasks=MANY, files=MANY, threads=MANY, waiting=0, unfinished=0, unsent=0)


class Serving:
    """The front over a site, in this process."""

    def __init__(self, site: Site) -> None:
        loop = asyncio.get_running_loop()
        objects = self.objects = WeakSet[Connection]()

        class Seen(Connection):
            def __init__(self, *given: Any, **more: Any) -> None:
                super().__init__(*given, **more)
                objects.add(self)

        self.site = site
        self.front = Front(site.app, site.services, loop)
        self.connections = Connections(loop, self._answer, QUICK, kind=Seen)
        listening = socket.create_server(("127.0.0.1", 0), backlog=CLIENTS)
        listening.setblocking(False)
        self.address = listening.getsockname()
        self.connections.listen(listening)

    async def client(self) -> Client:
        """Connect."""
        connected = socket.socket()
        connected.setblocking(False)
        # With a small buffer, few bytes of an answer wait in the system.
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        await asyncio.get_running_loop().sock_connect(connected, self.address)
        return Client(self, connected)

    def left(self) -> Left:
        """Count."""
        gc.collect()
        return Left(
            len(self.connections.open),
            len(self.objects),
            len(asyncio.all_tasks()),
            sum(1 for _ in FILES.iterdir()),
            threading.active_count(),
            self.site.services.milepost.committer.waiting,
            self.connections.unfinished.taken,
            self.connections.unsent.taken,
        )

    async def _answer(self, incoming: Incoming) -> Answer:
        if incoming.target == b"/large":
            return Answer(200, (), LARGE)
        return await self.front.answer(incoming)


async def in_head(client: Client) -> None:
    await client.send(b"POST /api/callbacks HTTP/1.1\r\nHost: mile")
    client.reset()


async def in_body(client: Client) -> None:
    await client.send(SIGNED[:-5])
    client.reset()


async def in_large_body(client: Client) -> None:
    await client.send(post(bytes(20_000), length=1_000_000))
    client.reset()


async def in_chunks(client: Client) -> None:
    await client.send(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab")
    client.reset()


async def before_the_answer(client: Client) -> None:
    await client.send(SIGNED)
    client.reset()


async def before_the_answer_of_flask(client: Client) -> None:
    await client.send(get("/api/jobs"))
    client.reset()


async def amid_pipelined_requests(client: Client) -> None:
    await client.send(SIGNED + get("/api/jobs") * 20 + SIGNED[:-5])
    client.reset()


async def half_closed_after_a_request(client: Client) -> None:
    await client.send(get("/livez"))
    client.half_close()
    assert (await client.ended()).startswith(b"HTTP/1.1 200 OK")


async def half_closed_in_a_body(client: Client) -> None:
    await client.send(SIGNED[:-5])
    client.half_close()
    assert await client.ended() == b""


async def refused_and_silent(client: Client) -> None:
    await client.send(post(b"", length=10**9))
    assert (await client.ended()).startswith(b"HTTP/1.1 413")


async def slow_head(client: Client) -> None:
    await client.send(b"GET / HTTP/1.1\r\nHost")
    assert await client.ended() == b""


async def slow_body(client: Client) -> None:
    await client.send(SIGNED[:-5])
    assert (await client.ended()).startswith(b"HTTP/1.1 408")


async def slow_reader(client: Client) -> None:
    await client.send(get("/large"))
    async with asyncio.timeout(PATIENCE):
        while client.serving.connections.open:
            await asyncio.sleep(0.05)


async def reader_that_is_gone(client: Client) -> None:
    await client.send(get("/large"))
    await asyncio.get_running_loop().sock_recv(client.connected, 1000)
    client.reset()


async def http_2(client: Client) -> None:
    await client.send(PREFACE)
    await client.send(GOAWAY)
    answer = await client.ended()
    assert answer.startswith(b"HTTP/1.1 400")
    assert answer.count(b"HTTP/") == 1


async def h2c_upgrade(client: Client) -> None:
    await client.send(H2C + PREFACE)
    answer = await client.ended()
    assert answer.startswith(b"HTTP/1.1 200")
    assert answer.count(b"HTTP/") == 1


WAYS: Final = (
    in_head,
    in_body,
    in_large_body,
    in_chunks,
    before_the_answer,
    before_the_answer_of_flask,
    amid_pipelined_requests,
    half_closed_after_a_request,
    half_closed_in_a_body,
    refused_and_silent,
    slow_head,
    slow_body,
    slow_reader,
    reader_that_is_gone,
    http_2,
    h2c_upgrade,
)


@pytest.fixture(scope="module", autouse=True)
def passes_by_earlier_tests() -> None:
    """Let the collector visit only what these tests make.

    `left` collects again and again. Beside the objects of thousands of earlier tests, each
    collection took half a second of CPU.
    """
    gc.collect()
    gc.freeze()


async def play(serving: Serving, way: Callable[[Client], Awaitable[None]], clients: int) -> None:
    """Let so many clients go this way, some at once."""

    async def one() -> None:
        client = await serving.client()
        try:
            await way(client)
        finally:
            client.connected.close()

    at_once = clients if way.__name__.startswith("slow") else AT_ONCE
    for begun in range(0, clients, at_once):
        await asyncio.gather(*(one() for _ in range(min(at_once, clients - begun))))


@pytest.mark.parametrize("way", WAYS, ids=[way.__name__ for way in WAYS])
def test_a_thousand_aborts_leave_nothing(
    memory_site: Site, way: Callable[[Client], Awaitable[None]]
) -> None:
    async def whole() -> None:
        serving = Serving(memory_site)
        try:
            await play(
                serving, before_the_answer_of_flask, 1
            )  # the first client opens files for all
            await until_nothing_more_than(serving, NOBODY)
            before = serving.left()

            await play(serving, way, CLIENTS)

            # The threads of Flask, of the committer and of the reader go on living.
            await until_nothing_more_than(
                serving, before._replace(threads=before.threads + THREADS + 2)
            )
            client = await serving.client()
            await client.send(SIGNED)
            answer = await asyncio.get_running_loop().sock_recv(client.connected, 1 << 16)
            assert answer.startswith(b"HTTP/1.1 200 OK")
            client.connected.close()
        finally:  # what is left open would fail the next test
            await serving.connections.end(PATIENCE)
            serving.front.close()

    uvloop.run(whole())


async def until_nothing_more_than(serving: Serving, before: Left) -> None:
    """Wait until there is no more of anything than before."""
    try:
        async with asyncio.timeout(PATIENCE):
            while any(now > then for now, then in zip(serving.left(), before, strict=True)):
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise AssertionError(f"{serving.left()} is left, and before it was {before}") from None
