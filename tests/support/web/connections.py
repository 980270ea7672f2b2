"""Connections over real sockets in this process, and clients that send them bytes."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, cast

import uvloop

from api.http.messages import Answer
from api.serving.http1.bounds.limits import Limits
from api.serving.http1.connections import Connections
from api.serving.http1.incoming import Incoming
from api.serving.http1.targets import target_of

PATIENCE = 20.0
QUICK = Limits(idle=0.5, body=0.5, write=0.5, linger=0.5)
LONG = 60.0
PATIENT = Limits(idle=LONG, body=LONG, write=LONG, linger=LONG)
MANY = 16 * 1024 * 1024
"""More bytes than the buffers of the system hold."""


class Case:
    """Connections to clients, each of which reads and writes as a test says."""

    def __init__(self, limits: Limits = PATIENT, **more: Any) -> None:
        self.limits, self._more = limits, more
        self.asked: list[Incoming] = []
        self.clients: list[Client] = []
        self.is_draining = False
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def __aenter__(self) -> Case:
        loop = asyncio.get_running_loop()
        listening = socket.create_server(("127.0.0.1", 0))
        listening.setblocking(False)
        self.port = listening.getsockname()[1]
        self.connections = Connections(
            loop, self.answer, self.limits, lambda: self.is_draining, **self._more
        )
        self.connections.listen(listening)
        return self

    async def __aexit__(self, *_: object) -> None:
        for client in self.clients:
            client.transport.abort()
        await self.connections.end(PATIENCE)

    async def client(self, address: str = "127.0.0.1") -> Client:
        """Connect from an address of this machine."""
        opened = await asyncio.open_connection("127.0.0.1", self.port, local_addr=(address, 0))
        self.clients.append(Client(*opened))
        return self.clients[-1]

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for a condition."""
        async with asyncio.timeout(PATIENCE):
            while not condition():
                await asyncio.sleep(0.01)

    async def answer(self, incoming: Incoming) -> Answer:
        """Answer a request of a client, as its path says."""
        self.asked.append(incoming)
        await self.may_answer.wait()
        path = target_of(incoming.target).path
        if path == b"/large":
            return Answer(200, (), bytes(MANY))
        if path == b"/broken":
            return Answer(200, [("X-Broken", "a\r\nX-Forged: b")])
        return Answer(200, (), path + b" " + incoming.body)


class Client:
    """A client, byte by byte."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.transport = cast(asyncio.Transport, writer.transport)

    def send(self, *pieces: bytes) -> None:
        """Send bytes."""
        for piece in pieces:
            self.writer.write(piece)

    async def answer(self) -> tuple[str, dict[str, str], bytes]:
        """Return the first line, the head and the body of the next answer."""
        async with asyncio.timeout(PATIENCE):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode()
            first, *lines = head.strip().split("\r\n")
            fields = dict(line.split(": ", 1) for line in lines)
            body = await self.reader.readexactly(int(fields.get("content-length", 0)))
            return first, fields, body

    async def status(self) -> int:
        """Return the status of the next answer."""
        first, _, _ = await self.answer()
        return int(first.split()[1])

    async def ended(self) -> bytes:
        """Return what comes until the server ends the connection."""
        async with asyncio.timeout(PATIENCE):
            with suppress(ConnectionResetError):
                return await self.reader.read()
            return b""

    def reset(self) -> None:
        """Break the connection, so that the server hears of it at once."""
        connected = self.writer.get_extra_info("socket")
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()


def run(test: Callable[[Case], Awaitable[None]], limits: Limits = PATIENT, **more: Any) -> None:
    """Run a test of a case on the loop that serves; `more` goes to its `Connections`."""

    async def whole() -> None:
        async with Case(limits, **more) as case:
            await test(case)

    uvloop.run(whole())


def get(path: str, *fields: str) -> bytes:
    """Return a request."""
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: milepost", *fields, "", ""]).encode()


def post(body: bytes, *fields: str, length: int | None = None) -> bytes:
    """Return a request with a body."""
    sized = f"Content-Length: {len(body) if length is None else length}"
    lines = ["POST /post HTTP/1.1", "Host: milepost", sized, *fields, "", ""]
    return "\r\n".join(lines).encode() + body
