"""Strangers who attack in every way at once: a process of its own, which `strangers` starts.

1. Read `Orders` from the first line of stdin, as JSON.
2. Attack at the ordered rates, and print a line once every way has begun.
3. When stdin ends, or after `MOST_SECONDS`, print how often each way was gone, as JSON, and end.

The rates are bounded, because the attackers share the machine with the server that is measured.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from itertools import count
from typing import Final

import msgspec
import uvloop

MOST_SECONDS: Final = 300
RESET: Final = struct.pack("ii", 1, 0)
"""SO_LINGER: close with a reset. Else each closed connection keeps its port for a minute."""
HOST: Final = b" HTTP/1.1\r\nHost: milepost\r\n"
POST: Final = b"POST /api/callbacks" + HOST
FORGED: Final = POST + b"X-Signature: " + b"0" * 64 + b"\r\n"
MEBIBYTE: Final = 1024 * 1024
DEEP: Final = b'{"job_id": "job-1", "status": "running", "extra": ' + b"[" * 60_000
PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9)


class Orders(msgspec.Struct, frozen=True):
    """Whom to attack: a port of 127.0.0.1. `held` connections are held in each slow way.

    In each quick way there are `rate` attempts a second.
    """

    port: int
    held: int
    rate: int


class Attack:
    """All ways, and how often each was gone."""

    def __init__(self, orders: Orders) -> None:
        self.orders = orders
        self.gone: Counter[str] = Counter()
        self._loop = asyncio.get_running_loop()
        self._addresses = count()

    async def run(self) -> None:
        """Attack until cancelled."""
        slow = (self.slow_head, self.slow_body, self.slow_reader, self.silent)
        quick = (
            self.aborted_body,
            self.forged_mebibyte,
            self.forged_depth,
            self.chunks_of_a_byte,
            self.other_protocol,
            self.anybody,
        )
        async with asyncio.TaskGroup() as tasks:
            for way in slow:
                for number in range(self.orders.held):
                    tasks.create_task(self._again(way, 1, number / self.orders.held))
            for way in quick:
                tasks.create_task(self._again(way, 1 / self.orders.rate, 0))

    async def _again(
        self, way: Callable[[socket.socket], Awaitable[None]], pause: float, begin: float
    ) -> None:
        await asyncio.sleep(begin)
        while True:
            with socket.socket() as stranger, suppress(OSError):
                stranger.setblocking(False)
                stranger.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                stranger.bind((f"127.0.0.{2 + next(self._addresses) % 200}", 0))
                await self._loop.sock_connect(stranger, ("127.0.0.1", self.orders.port))
                self.gone[way.__name__] += 1
                await way(stranger)
            await asyncio.sleep(pause)

    async def slow_head(self, stranger: socket.socket) -> None:
        """Send a byte a second, until the server hangs up."""
        await self._drip(stranger, POST, b"X-Slow: ")

    async def slow_body(self, stranger: socket.socket) -> None:
        """Send a large body, and its end a byte a second."""
        await self._drip(stranger, FORGED + b"Content-Length: 100000\r\n\r\n" + bytes(50_000), b"x")

    async def _drip(self, stranger: socket.socket, first: bytes, drip: bytes) -> None:
        await self._loop.sock_sendall(stranger, first)
        for byte in count():
            await asyncio.sleep(1)
            await self._loop.sock_sendall(stranger, drip[byte % len(drip) :][:1])

    async def slow_reader(self, stranger: socket.socket) -> None:
        """Ask for much, and take a few bytes a second."""
        stranger.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        await self._loop.sock_sendall(stranger, (b"GET /api/openapi.json" + HOST + b"\r\n") * 8)
        while await self._loop.sock_recv(stranger, 100):
            await asyncio.sleep(1)

    async def silent(self, stranger: socket.socket) -> None:
        """Say nothing, until the server hangs up."""
        await self._loop.sock_recv(stranger, 1)

    async def aborted_body(self, stranger: socket.socket) -> None:
        """End in the middle of a body."""
        await self._loop.sock_sendall(stranger, FORGED + b"Content-Length: 500\r\n\r\n{")

    async def forged_mebibyte(self, stranger: socket.socket) -> None:
        """Send as much as is read, with a signature that is none."""
        body = b"Content-Length: %d\r\n\r\n" % MEBIBYTE + bytes(MEBIBYTE)
        await self._loop.sock_sendall(stranger, FORGED + body)
        await self._loop.sock_recv(stranger, 1)

    async def forged_depth(self, stranger: socket.socket) -> None:
        """Send JSON that costs much to read, with a signature that is none."""
        head = FORGED + b"Content-Length: %d\r\n\r\n" % len(DEEP)
        await self._loop.sock_sendall(stranger, head + DEEP)
        await self._loop.sock_recv(stranger, 1)

    async def chunks_of_a_byte(self, stranger: socket.socket) -> None:
        """Send a body that costs much to take apart, until it is refused."""
        head = POST + b"Transfer-Encoding: chunked\r\n\r\n"
        await self._loop.sock_sendall(stranger, head + b"1\r\nx\r\n" * 20_000)
        await self._loop.sock_recv(stranger, 1)

    async def other_protocol(self, stranger: socket.socket) -> None:
        """Speak HTTP/2."""
        await self._loop.sock_sendall(stranger, PREFACE)
        await self._loop.sock_recv(stranger, 1)

    async def anybody(self, stranger: socket.socket) -> None:
        """Ask Flask for something, without a token."""
        await self._loop.sock_sendall(stranger, b"GET /api/jobs" + HOST + b"\r\n")
        await self._loop.sock_recv(stranger, 1)


async def main() -> None:
    """Attack until stdin ends."""
    stdin = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(stdin), sys.stdin)
    attack = Attack(msgspec.json.decode(await stdin.readline(), type=Orders))
    with suppress(TimeoutError):
        async with asyncio.timeout(MOST_SECONDS):
            attacking = asyncio.create_task(attack.run())
            await asyncio.sleep(2)  # the slow ways begin within a second
            sys.stdout.write("under way\n")
            sys.stdout.flush()
            ended = asyncio.create_task(stdin.read())
            await asyncio.wait((attacking, ended), return_when="FIRST_COMPLETED")
            attacking.cancel()
    sys.stdout.write(msgspec.json.encode(attack.gone).decode())


if __name__ == "__main__":
    uvloop.run(main())
