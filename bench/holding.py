"""Clients that hold connections, and little else: a process of its own, which `crowd` starts.

1. Read `Orders` from the first line of stdin, as JSON.
2. Open the connections, and then print a line.
3. Until stdin ends, send each second a byte on each connection that has bytes left to send.
4. Print a `Report`, as JSON, and close the connections.

One event loop serves all connections, because the server needs the CPU time itself.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import sys
from typing import Final, cast

import msgspec
import uvloop

AT_ONCE: Final = 20
"""How many connections are opened at the same time."""
TICKS: Final = 10
"""How many times a second some connections get their byte."""
OPEN_SECONDS: Final = 60
"""How long opening the connections may take beside what it is spread over."""
MOST_SECONDS: Final = 300
"""How long the process lives at most, also when its parent hangs."""
RESET: Final = struct.pack("ii", 1, 0)
"""SO_LINGER: close with a reset. Else each closed connection keeps its port for a minute."""


class Orders(msgspec.Struct, frozen=True):
    """What to hold: `clients` connections to a port of 127.0.0.1, opened over `spread` seconds.

    Each client sends `request` at once. Without a `drip` the server must then answer 200. With a
    `drip` the client sends one byte of it a second. With `again` the client of a connection that
    the server ends connects again.
    """

    port: int
    clients: int
    request: bytes
    drip: bytes = b""
    spread: float = 0
    again: bool = False


class Report(msgspec.Struct, frozen=True):
    """What became of the connections.

    `ended` counts the connections that the server ended, by the status that it sent before; the
    status is empty if it sent none. `shortest` and `longest` are their lives, in seconds.
    """

    open: int
    ended: dict[str, int]
    shortest: float
    longest: float


class Refused(Exception):
    """The server answers a client that should hold a connection with an error."""


class Connections:
    """The connections of all clients."""

    def __init__(self, orders: Orders) -> None:
        self.orders = orders
        self._held: dict[int, _Connection] = {}
        self._again: list[int] = []
        self._ended: dict[str, int] = {}
        self._lives: list[float] = []

    async def open(self) -> None:
        """Open one connection for each client."""
        clients = range(self.orders.clients)
        pause = AT_ONCE * self.orders.spread / self.orders.clients
        for start in clients[::AT_ONCE]:
            await asyncio.gather(*map(self._connect, clients[start : start + AT_ONCE]))
            await asyncio.sleep(pause)

    async def drip(self) -> None:
        """Send the bytes, and connect again where the server has hung up, for ever."""
        while True:
            for tick in range(TICKS):
                again, self._again = self._again, []
                await asyncio.gather(*map(self._connect, again))
                for client, connection in self._held.items():
                    if client % TICKS == tick:
                        connection.drip()
                await asyncio.sleep(1 / TICKS)

    def lost(self, client: int, status: str, seconds: float) -> None:
        """Note that the server has ended a connection."""
        del self._held[client]
        self._ended[status] = self._ended.get(status, 0) + 1
        self._lives.append(seconds)
        if self.orders.again:
            self._again.append(client)

    def report(self) -> Report:
        """Return what became of the connections so far."""
        lives = self._lives or [0.0]
        return Report(len(self._held), self._ended, min(lives), max(lives))

    async def _connect(self, client: int) -> None:
        connection = self._held[client] = _Connection(self, client)
        loop = asyncio.get_running_loop()
        await loop.create_connection(lambda: connection, "127.0.0.1", self.orders.port)
        await connection.is_open


class _Connection(asyncio.Protocol):
    def __init__(self, all_of_them: Connections, client: int) -> None:
        self._all, self._client = all_of_them, client
        self._loop = asyncio.get_running_loop()
        self._sent, self._status = 0, ""
        self.is_open: asyncio.Future[None] = self._loop.create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are not derived from asyncio's.
        self._transport = cast(asyncio.Transport, transport)
        connected = transport.get_extra_info("socket")
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self._transport.write(self._all.orders.request)
        self._began = self._loop.time()
        if self._all.orders.drip:
            self.is_open.set_result(None)

    def drip(self) -> None:
        """Send the next byte, if one is left."""
        drip = self._all.orders.drip
        if self._sent < len(drip) and self.is_open.done():
            self._transport.write(drip[self._sent : self._sent + 1])
            self._sent += 1

    def data_received(self, data: bytes) -> None:
        status = data[9:12].decode() if data.startswith(b"HTTP/1.1 ") else ""
        if self.is_open.done():
            self._status = self._status or status
        elif status == "200":
            self.is_open.set_result(None)
        else:
            self.is_open.set_exception(Refused(data[:200]))

    def connection_lost(self, error: Exception | None) -> None:
        if self.is_open.done():
            self._all.lost(self._client, self._status, self._loop.time() - self._began)
        else:
            self.is_open.set_exception(error or Refused("no answer"))


async def main() -> None:
    """Hold connections until stdin ends."""
    stdin = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(stdin), sys.stdin)
    async with asyncio.timeout(MOST_SECONDS):
        connections = Connections(msgspec.json.decode(await stdin.readline(), type=Orders))
        dripping = asyncio.create_task(connections.drip())
        async with asyncio.timeout(connections.orders.spread + OPEN_SECONDS):
            await connections.open()
        sys.stdout.write("open\n")
        sys.stdout.flush()
        ended = asyncio.create_task(stdin.read())
        for done in (await asyncio.wait((dripping, ended), return_when="FIRST_COMPLETED"))[0]:
            done.result()  # `drip` ends only with an error
    sys.stdout.write(msgspec.json.encode(connections.report()).decode())


if __name__ == "__main__":
    uvloop.run(main())
