"""All connections of a worker: accepting them up to a bound, their patience, and their end.

One look over all connections, every `LOOK_SECONDS`, takes the place of timers: a timer for each of
thousands of requests a second would cost more than the requests.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from email.utils import formatdate
from functools import partial
from typing import Final, NamedTuple

from api.serving.http1.connection import Connection, Respond
from api.serving.http1.incoming import Ends

LOOK_SECONDS: Final = 0.5
"""The time between two looks. What has a deadline ends up to two of them after it."""
ACCEPTED_AT_ONCE: Final = 64
"""How many connections are accepted before the loop does something else."""


class Limits(NamedTuple):
    """What clients of a worker may take."""

    connections: int = 16_384
    """How many connections there are at most; further ones wait until they are accepted."""
    idle: float = 60
    """How long the head of a request may take, with the silence before it, in seconds."""
    body: float = 15
    """How long a body may take, in seconds."""
    write: float = 30
    """How long a client may take no byte of an answer that waits for it, in seconds."""
    linger: float = 5
    """How long a refused client may take to read its answer and to hang up, in seconds."""


LIMITS: Final = Limits()


class Connections:
    """The connections of one event loop.

    `open` has those that are accepted. `tick` counts the looks, so time in which the process did
    not run counts against no client: it has read nothing meanwhile.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        respond: Respond,
        limits: Limits = LIMITS,
        is_draining: Callable[[], bool] = lambda: False,
        kind: type[Connection] = Connection,
    ) -> None:
        self.loop = loop
        self.limits = limits
        self.is_draining = is_draining
        self.tick = 0
        self._respond = respond
        self._kind = kind
        self.open: set[Connection] = set()
        self._accepting: set[asyncio.Task[object]] = set()
        self._listening: socket.socket | None = None
        self._is_paused = False
        self._look()

    def listen(self, listening: socket.socket) -> None:
        """Accept connections at this socket, which must not block."""
        self._listening = listening
        self.loop.add_reader(listening, self._accept)

    def after(self, seconds: float) -> int:
        """Return the tick by which so much time will have passed."""
        return self.tick + 1 + round(seconds / LOOK_SECONDS)

    def discard(self, connection: Connection) -> None:
        """Forget a connection that has ended; accept another one in its place."""
        self.open.discard(connection)
        self._resume()

    async def end(self, seconds: float) -> None:
        """Accept no more connections; end each one once it is idle, and all of them in time."""
        if self._listening:
            self.loop.remove_reader(self._listening)
            self._listening.close()
            self._listening = None
        until = self.loop.time() + seconds
        while self.open or self._accepting:
            for connection in tuple(self.open):
                connection.finish()
            if self.loop.time() > until:
                return
            await asyncio.sleep(0.01)

    def _accept(self) -> None:
        assert self._listening
        for _ in range(ACCEPTED_AT_ONCE):
            if len(self.open) + len(self._accepting) >= self.limits.connections:
                self._pause()
                return
            try:
                accepted, client = self._listening.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return
            except OSError:  # no file is left: the next look tries again
                self._pause()
                return
            # A bound for each address belongs here, before anything is done for the connection.
            accepted.setblocking(False)
            ends = Ends(client[:2], self._listening.getsockname()[:2])
            new = partial(self._kind, self, self._respond, ends)
            connecting = self.loop.connect_accepted_socket(new, accepted)
            task: asyncio.Task[object] = self.loop.create_task(connecting)
            self._accepting.add(task)
            task.add_done_callback(self._accepting.discard)

    def _pause(self) -> None:
        assert self._listening
        self.loop.remove_reader(self._listening)
        self._is_paused = True

    def _resume(self) -> None:
        if self._is_paused and self._listening:
            self._is_paused = False
            self.loop.add_reader(self._listening, self._accept)

    def _look(self) -> None:
        self.loop.call_later(LOOK_SECONDS, self._look)
        self.tick += 1
        self.date = f"date: {formatdate(usegmt=True)}\r\n"
        self._resume()
        for connection in tuple(self.open):
            connection.look(self.tick)
