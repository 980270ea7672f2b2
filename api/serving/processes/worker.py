"""A worker: the process that answers requests, started afresh by its server."""

from __future__ import annotations

import asyncio
import gc
import socket
import sys
from multiprocessing.connection import Connection as Line
from typing import TYPE_CHECKING, Final

import msgspec
import uvloop

from api.http.counting.shared_counts import SharedMemory, share
from api.settings.settings import Settings

if TYPE_CHECKING:
    from api.serving.http1.connection import Connection

PING, ALIVE, DRAIN, END = b"ping", b"alive", b"drain", b"end"
"""What a supervisor and a worker say to one another."""
FINISH_SECONDS: Final = 20.0
"""How long a worker that is asked to end may finish what is under way."""
ORPHAN_SECONDS: Final = 0.5
"""The same for a worker whose supervisor is gone."""
SWITCH_SECONDS: Final = 0.001
"""How long a thread may keep the interpreter while another one waits for it.

With Python's 5 ms, a callback waits behind every thread of Flask's that makes a large page.
"""


class Orders(msgspec.Struct, frozen=True):
    """How a worker serves: with `wsgi` through Flask alone, and how many connections at most."""

    settings: Settings
    connections: int
    wsgi: bool = False
    kind: type[Connection] | None = None
    """A kind of connection for a bench; the usual one by default."""


def work(
    orders: Orders, listening: socket.socket, line: Line, counts: SharedMemory, number: int
) -> None:
    """Answer requests at a listening socket until the other end of the line says so, or is gone.

    The worker counts in the part `number` of `counts`, for `/metrics`.
    """
    # Modules and routes are never garbage: a collector at work while they load costs 30 ms of CPU.
    gc.disable()
    from api.app import create_app
    from api.serving.logs import log_to_stderr
    from api.wiring import open_services

    share(counts, number)
    log_to_stderr(orders.settings.log_format)
    sys.setswitchinterval(SWITCH_SECONDS)
    supervisor = _Supervisor(line)
    services = msgspec.structs.replace(
        open_services(orders.settings), is_draining=lambda: supervisor.is_draining
    )
    # Naming a secret is slow by design, so do it before the first callbacks come.
    services.senders.name_all()
    application = create_app(services)
    # All this stays; a garbage collector that looks at it again holds up every callback meanwhile.
    gc.freeze()
    gc.enable()

    async def serve() -> None:
        from api.serving.front import Front
        from api.serving.http1.bounds.limits import Limits
        from api.serving.http1.connection import Connection
        from api.serving.http1.connections import Connections
        from api.serving.streams.audience import Bounds

        loop = asyncio.get_running_loop()
        streams = Bounds(orders.connections * 3 // 4)  # callbacks need connections, too
        front = Front(application, services, loop, without_hot=orders.wsgi, streams=streams)
        connections = Connections(
            loop,
            front.answer,
            Limits(orders.connections, orders.settings.connections_per_address),
            services.is_draining,
            orders.kind or Connection,
            proxies=application.proxies,
            when_full=front.answer_when_full,
        )
        connections.listen(listening)
        seconds = await supervisor.when_to_end(loop)
        front.finish()
        await connections.end(seconds)
        front.close()

    uvloop.run(serve())
    services.close()


class _Supervisor:
    """What the supervisor has said."""

    def __init__(self, line: Line) -> None:
        self.is_draining = False
        self._line = line

    async def when_to_end(self, loop: asyncio.AbstractEventLoop) -> float:
        """Answer the supervisor until it says the end; return how many seconds the end may take."""
        self._end: asyncio.Future[float] = loop.create_future()
        self._line.send_bytes(ALIVE)
        loop.add_reader(self._line.fileno(), self._hear)
        seconds = await self._end
        loop.remove_reader(self._line.fileno())
        return seconds

    def _hear(self) -> None:
        try:
            word = self._line.recv_bytes()
        except (EOFError, OSError):
            # A worker whose server was killed would go on answering on the port.
            self._finish(ORPHAN_SECONDS)
            return
        if word == PING:
            self._line.send_bytes(ALIVE)
        elif word == DRAIN:
            self.is_draining = True
        elif word == END:
            self._finish(FINISH_SECONDS)

    def _finish(self, seconds: float) -> None:
        self.is_draining = True
        if not self._end.done():
            self._end.set_result(seconds)
