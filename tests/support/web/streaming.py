"""A site's front on the loop of a test, and clients that read its streams."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

import uvloop

from api.serving.front import Front
from api.serving.http1.bounds.limits import Limits
from api.serving.http1.connections import Connections
from api.serving.streams.audience import Bounds
from tests.support.web.connections import PATIENCE, PATIENT, Client
from tests.support.web.site import ADMIN, Site, bearer

LONGEST = 4 * 1024 * 1024
"""How many bytes a block may have."""
QUICK = Bounds(streams=20, beat_seconds=0.2)


class Block(NamedTuple):
    """A block of a stream that says something."""

    id: int | None
    data: Any
    event: str = "message"


class Reader:
    """A client that reads one answer, block by block."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.status = 0
        self.headers: dict[str, str] = {}
        self.last_id: int | None = None
        self.comments = 0
        self.retry: int | None = None
        self.body = b""

    async def begin(self) -> Reader:
        """Read the head of the answer, and the body if it has a length."""
        first, self.headers, self.body = await self.client.answer()
        self.status = int(first.split()[1])
        return self

    async def piece(self) -> dict[str, str] | None:
        """Return the fields of the next block; None once the server has closed the connection."""
        try:
            text = (await self.client.reader.readuntil(b"\n\n")).decode()
        except (asyncio.IncompleteReadError, ConnectionResetError):
            return None
        if text.startswith(":"):
            self.comments += 1
            return {}
        fields = dict(line.split(": ", 1) for line in text.strip().splitlines())
        self.retry = int(fields["retry"]) if "retry" in fields else self.retry
        self.last_id = int(fields["id"]) if "id" in fields else self.last_id
        return fields

    async def next(self) -> Block | None:
        """Return the next block with data; None once the server has closed the connection."""
        async with asyncio.timeout(PATIENCE):  # beats come for ever
            while (fields := await self.piece()) is not None:
                if "data" in fields:
                    data = json.loads(fields["data"])
                    return Block(self.last_id, data, fields.get("event", "message"))
        return None

    async def some(self, number: int) -> list[Block]:
        """Return so many blocks."""
        found = [await self.next() for _ in range(number)]
        assert None not in found
        return [each for each in found if each]

    async def rest(self) -> list[Block]:
        """Return what comes until the server closes the connection."""
        found: list[Block] = []
        while block := await self.next():
            found.append(block)
        return found


class Live:
    """A front that serves a site, in the event loop of a test."""

    def __init__(self, site: Site, limits: Limits = PATIENT, bounds: Bounds = QUICK) -> None:
        self.site, self._limits = site, limits
        self._bounds = bounds
        self._clients: list[Client] = []

    async def __aenter__(self) -> Live:
        loop = asyncio.get_running_loop()
        listening = socket.create_server(("127.0.0.1", 0))
        listening.setblocking(False)
        self.port: int = listening.getsockname()[1]
        self.front = Front(
            self.site.app,
            self.site.services,
            loop,
            streams=self._bounds,
        )
        self.connections = Connections(loop, self.front.answer, self._limits)
        self.connections.listen(listening)
        return self

    async def __aexit__(self, *_: object) -> None:
        for client in self._clients:
            client.transport.abort()
        self.front.finish()
        await self.connections.end(PATIENCE)
        self.front.close()

    async def ask(
        self, path: str, token: str = ADMIN, method: str = "GET", **headers: str
    ) -> Reader:
        """Ask for a path, and read the head of the answer."""
        return await (await self.asking(path, token, method, **headers)).begin()

    async def asking(
        self, path: str, token: str = ADMIN, method: str = "GET", **headers: str
    ) -> Reader:
        """Ask for a path, and read nothing yet; with a cookie or a link, without the token."""
        client = Client(*await asyncio.open_connection("127.0.0.1", self.port, limit=LONGEST))
        self._clients.append(client)
        fields = {
            **({} if "Cookie" in headers or "link=" in path else bearer(token)),
            **{name.replace("_", "-"): each for name, each in headers.items()},
        }
        lines = [f"{name}: {each}" for name, each in fields.items()]
        request = "\r\n".join([f"{method} {path} HTTP/1.1", "Host: milepost", *lines, "", ""])
        client.send(request.encode())
        return Reader(client)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for a condition."""
        async with asyncio.timeout(PATIENCE):
            while not condition():
                await asyncio.sleep(0.01)


def live(site: Site, test: Callable[[Live], Awaitable[None]], **options: Any) -> None:
    """Run a test beside the site's front, on the kind of loop that serves."""

    async def whole() -> None:
        async with Live(site, **options) as served:
            await test(served)

    uvloop.run(whole())
