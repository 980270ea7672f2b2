"""All connections of a worker: accepting them within bounds, their patience, and their end.

1. An address has a bound of its own: a connection beyond it is refused at once.
2. When a worker has as many connections as it may have, it ends the connections that have waited
   longest for their clients: silent connections first, then slow bodies, then slow readers.
3. If all of them have requests under way, there are some more that may ask whether it is alive.

One look over all connections, every `LOOK_SECONDS`, takes the place of timers: a timer for each of
thousands of requests a second would cost more than the requests.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress
from email.utils import formatdate
from functools import partial
from heapq import nsmallest
from operator import itemgetter
from time import perf_counter
from typing import Final

from api.errors import TooManyBytes, TooManyConnections
from api.http.callers.proxies import NO_PROXIES, Proxies
from api.http.problems.documents import problem_of
from api.serving.http1.beginning import Beginning
from api.serving.http1.bounds.addresses import Addresses
from api.serving.http1.bounds.limits import LIMITS, RESERVED, Limits
from api.serving.http1.bounds.room import Room
from api.serving.http1.bounds.turned_away import TurnedAway
from api.serving.http1.connection import CLOSE, Connection, Respond
from api.serving.http1.feeding import Feeding
from api.serving.http1.incoming import Ends
from api.serving.http1.outgoing import in_bytes

LOOK_SECONDS: Final = 0.5
"""The time between two looks. What has a deadline ends up to two of them after it."""
ACCEPTED_AT_ONCE: Final = 64
"""How many connections are accepted before the loop does something else."""
LAST_TURNS: Final = 64
"""How many times `ACCEPTED_AT_ONCE` connections are accepted when a worker ends, and how many turns
of the loop then read what has arrived at them."""
REFUSAL: Final = in_bytes("GET", problem_of(TooManyConnections(), "GET", ""), CLOSE)


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
        *,
        proxies: Proxies = NO_PROXIES,
        when_full: Respond | None = None,
        clock: Callable[[], float] = perf_counter,
    ) -> None:
        self.loop = loop
        self.limits = limits
        self.is_draining = is_draining
        self.tick = 0
        self.feeding = Feeding(loop, clock)
        self.beginning = Beginning(loop)
        self.unfinished = Room(limits.unfinished, self._give_up_request)
        self.unsent = Room(limits.unsent, self._give_up_answer)
        self.open: dict[Connection, None] = {}  # in the order in which they were accepted
        self._there_are = 0  # open connections, and connections that are being accepted
        self._respond = respond
        self._when_full = when_full
        self._kind = kind
        self.proxies = proxies
        self._addresses = Addresses(limits.per_address, proxies)
        self._turned_away = TurnedAway()
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
        """Forget a connection that has ended."""
        if connection in self.open:
            del self.open[connection]
            self._leave(connection.ends.client[0])

    async def end(self, seconds: float) -> None:
        """Accept no more connections; end each one once it is idle, and all of them in time.

        The system completes connections by itself, and resets those that nobody has accepted when
        the socket closes. So all of them are accepted first. A request may also have arrived at a
        connection that still seems idle: it is read before idle connections are ended.
        """
        if self._listening:
            for _ in range(LAST_TURNS):
                self._accept()
            self.loop.remove_reader(self._listening)
            self._listening.close()
            self._listening = None
            for _ in range(LAST_TURNS):
                await asyncio.sleep(0)
        until = self.loop.time() + seconds
        while self._there_are > 0:
            for connection in tuple(self.open):
                connection.finish()
            if self.loop.time() > until:
                return
            await asyncio.sleep(0.01)

    def _accept(self) -> None:
        assert self._listening
        for _ in range(ACCEPTED_AT_ONCE):
            try:
                accepted, client = self._listening.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return
            except OSError:  # no file is left: the next look tries again
                self.loop.remove_reader(self._listening)
                self._is_paused = True
                return
            if respond := self._admitted(client[0]):
                self._begin(accepted, Ends(client[:2], self._listening.getsockname()[:2]), respond)
            else:
                _refuse(accepted)

    def _admitted(self, client: str) -> Respond | None:
        """Return what answers a new client; None if there may be no connection for it."""
        if not self._addresses.admit(client):
            self._turned_away.note("per_address", client)
            return None
        self._there_are += 1
        if self._there_are <= self.limits.connections or self._make_way():
            return self._respond
        if self._when_full and self._there_are <= self.limits.connections + RESERVED:
            return self._when_full
        self._leave(client)
        self._turned_away.note("full", client)
        return None

    def _leave(self, client: str) -> None:
        self._there_are -= 1
        self._addresses.leave(client)

    def _make_way(self) -> bool:
        """End the connections that have waited for their clients for the longest, if any has."""
        waiting = [
            (since, connection)
            for connection in self.open
            if (since := connection.waits_since())
            and not self.proxies.trust(connection.ends.client[0])
        ]
        # Some at once: to look for one at a time would cost too much during a flood.
        most = min(ACCEPTED_AT_ONCE, 1 + len(waiting) // 8)
        for _, connection in nsmallest(most, waiting, key=itemgetter(0)):
            self._turned_away.note("displaced", connection.ends.client[0])
            self.discard(connection)
            connection.abort()
        return bool(waiting)

    def _give_up_request(self, connection: Connection) -> None:
        self._turned_away.note("unfinished", connection.ends.client[0])
        connection.refuse(TooManyBytes())

    def _give_up_answer(self, connection: Connection) -> None:
        self._turned_away.note("unsent", connection.ends.client[0])
        connection.abort()

    def _begin(self, accepted: socket.socket, ends: Ends, respond: Respond) -> None:
        accepted.setblocking(False)
        is_extra = respond is not self._respond
        new = partial(self._kind, self, respond, ends, is_extra=is_extra)
        connecting = self.loop.connect_accepted_socket(new, accepted)
        task: asyncio.Task[object] = self.loop.create_task(connecting)
        self._accepting.add(task)
        task.add_done_callback(partial(self._begun, ends.client[0]))

    def _begun(self, client: str, task: asyncio.Task[object]) -> None:
        self._accepting.discard(task)
        if task.cancelled() or task.exception():  # the client was gone already
            self._leave(client)

    def _look(self) -> None:
        self.loop.call_later(LOOK_SECONDS, self._look)
        self.tick += 1
        self.date = f"date: {formatdate(usegmt=True)}\r\n"
        if self._is_paused and self._listening:
            self._is_paused = False
            self.loop.add_reader(self._listening, self._accept)
        for connection in tuple(self.open):
            connection.look(self.tick)
        self._turned_away.tell(self.loop.time())


def _refuse(accepted: socket.socket) -> None:
    # Nothing is read: a flood must cost less than the requests that it is in the way of.
    with accepted, suppress(OSError):
        accepted.setblocking(False)
        accepted.send(REFUSAL)
        accepted.shutdown(socket.SHUT_WR)
