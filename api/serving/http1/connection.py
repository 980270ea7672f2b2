"""A connection of HTTP/1.1, which the event loop's own thread reads and writes.

1. A `Reader` makes whole requests of the bytes that come in.
2. A whole request waits for the answers of those before it on its connection, then for its own.
3. The answer is written in one piece. Then the connection waits for the next request, or closes.
4. An answer with a source is a stream: the source writes on, and the connection ends with it.

A request that is malformed, too large or too slow is refused in its turn. Nothing after it is read:
the connection ends.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final, cast

from werkzeug.exceptions import HTTPException, RequestTimeout

from api.http.messages import Answer, Source
from api.serving.http1.bounds.pace import NEVER
from api.serving.http1.incoming import Ends, Incoming
from api.serving.http1.intake import Intake
from api.serving.http1.outlet import Outlet
from api.serving.http1.reading import Reader
from api.serving.http1.refusing import refusal_of

if TYPE_CHECKING:
    from api.serving.http1.connections import Connections

MAX_PIPELINED: Final = 16
"""How many requests may wait behind one that is being answered; the connection ends after them."""
CLOSE: Final = ("connection: close\r\n",)
KEEP_ALIVE: Final = ("connection: keep-alive\r\n",)

Respond = Callable[[Incoming], Awaitable[Answer]]
"""Returns the answer to a request, and never raises."""


class Connection(asyncio.Protocol):
    """A client's connection. `due` is the tick of `Connections` at which its patience ends.

    One that `is_extra` is beyond the bound on connections, and ends with its first answer.
    """

    def __init__(
        self, connections: Connections, respond: Respond, ends: Ends, *, is_extra: bool = False
    ) -> None:
        self.ends = ends
        self.due = NEVER
        self.reads_on = True
        self._connections = connections
        self._respond = respond
        self._limits = connections.limits
        self._reader = Reader(self, ends)
        self._is_extra = is_extra
        self._refuses = self._has_eof = False
        # Requests, and errors that refuse one, behind the one that is being answered.
        self._waiting: deque[Incoming | Exception] = deque()
        self._present: Incoming | None = None
        self._source: Source | None = None
        self._task: asyncio.Task[None] | None = None

    # What the transport calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.Protocol`."""
        # uvloop's transports are not derived from asyncio's.
        self._transport = cast(asyncio.Transport, transport)
        self._intake = Intake(self, self._connections, self._transport)
        self._outlet = Outlet(self, self._connections, self._transport)
        self.due = self._connections.after(self._limits.idle)
        self._connections.open[self] = None

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        if not self.reads_on:
            self._intake.pass_over()
            return
        self._intake.take(data)

    def eof_received(self) -> bool:
        """See `asyncio.Protocol`: a client that sends no more may still wait for an answer.

        The reader of a stream is gone then: browsers and proxies close both directions at once.
        """
        self.reads_on, self._has_eof = False, True
        return self._present is not None

    def connection_lost(self, error: Exception | None) -> None:
        """See `asyncio.Protocol`."""
        self._connections.discard(self)
        if self._present:
            self._present.is_gone = True
        if self._source:
            self._source.gone()
            self._source = None
        self._waiting.clear()
        self.reads_on = False
        self._intake.forget()
        self._reader.close()
        self._outlet.clear()

    def pause_writing(self) -> None:
        """See `asyncio.Protocol`: the client is slow to take its answers."""
        self._outlet.clog()

    def resume_writing(self) -> None:
        """See `asyncio.Protocol`."""
        self._outlet.clear()
        if self._source:
            self._source.drained()
        else:
            self._go_on()

    # What its intake calls

    def read(self, piece: bytes) -> bool:
        """Read a piece of what the client sends; return whether more may be read."""
        if self.reads_on:
            try:
                self._reader.feed(piece)
            except HTTPException as error:
                self.refuse(error)
        return self.reads_on

    # What the reader calls

    def begin_body(self, *, is_awaited: bool) -> None:
        """See `Reads`."""
        if is_awaited and not self._present:
            self._outlet.go_ahead()
        self.due = self._connections.after(self._limits.body)

    def hold(self, size: int) -> None:
        """See `Reads`."""
        self._intake.hold(size)

    def take(self, incoming: Incoming, *, is_last: bool) -> None:
        """See `Reads`: let the request wait for its answer."""
        self.due = NEVER
        self._intake.settle()
        is_last = is_last or self._is_extra
        self.reads_on = not is_last and len(self._waiting) < MAX_PIPELINED
        self._waiting.append(incoming)
        self._go_on()
        if self._waiting:
            # It may have come in one piece, and then nothing has counted it.
            self._intake.hold(incoming.size)
            self._intake.settle()
            self._intake.pause()

    # Answering

    def _go_on(self) -> None:
        """Begin with the next request that waits, if its turn has come."""
        if self._present or self._outlet.is_clogged or self._transport.is_closing():
            return
        if not self._waiting:
            self._intake.release()
            if self._intake.is_paused:
                self._intake.go_on()
                # The rest of a body that was under way has its time from now on.
                self.due = self._connections.after(self._limits.body)
            if not self._sends_more():
                self.due = self._connections.after(self._limits.idle)
            return
        following = self._waiting.popleft()
        if isinstance(following, Exception):
            refusal = refusal_of(following, self._reader, self.ends, self._connections.proxies)
            self._send_last(self._reader.method, refusal)
            return
        self._present = following
        self._connections.beginning.begin(self)

    def begin(self) -> None:
        """See `Begins`."""
        assert self._present
        self._task = self._connections.loop.create_task(self._answer(self._present))

    async def _answer(self, incoming: Incoming) -> None:
        answer = await self._respond(incoming)
        self._present = None
        if answer.source:
            self._stream(incoming.method, answer, answer.source)
            return
        if self._transport.is_closing():
            return
        if self._connections.is_draining() or not (self.reads_on or self._waiting):
            self._send_last(incoming.method, answer)
            return
        # A client of HTTP/1.0 that asks to be kept wants to hear that it is.
        more = KEEP_ALIVE if b"connection" in incoming.fields else ()
        self._outlet.send(incoming.method, answer, more)
        self._go_on()

    def _send_last(self, method: str, answer: Answer) -> None:
        self._outlet.send(method, answer, CLOSE)
        self._end()

    def _end(self) -> None:
        self.reads_on = False
        self._intake.forget()
        self._waiting.clear()
        if self._transport.is_closing():
            return
        if not self._sends_more() or self._has_eof:
            self._transport.close()
            return
        # The client may be sending. To close now would reset the connection, and the client could
        # lose the answer. So it has some seconds to read the answer and to hang up.
        if self._intake.is_paused:
            self._intake.go_on()
        self._transport.write_eof()
        self.due = self._connections.after(self._limits.linger)

    def _stream(self, method: str, answer: Answer, source: Source) -> None:
        if self._transport.is_closing() or method == "HEAD":
            source.gone()
            if not self._transport.is_closing():
                self._send_last(method, answer)
            return
        self.reads_on = False
        self._waiting.clear()
        self._intake.forget()
        if self._intake.is_paused:  # a hang-up shows only while one reads
            self._intake.go_on()
        self._source = source
        self._outlet.send(method, answer, CLOSE)
        source.begin(self._outlet)

    def _sends_more(self) -> bool:
        # What is refused need not have ended.
        return self._refuses or self._reader.is_in_body

    # What `Connections` calls

    def look(self, tick: float) -> None:
        """End what has taken too long; called every `LOOK_SECONDS`."""
        if self._outlet.is_too_slow(tick):
            self.abort()
        # While nothing is read, the client cannot be in time.
        if self.due <= tick and not (self._intake.is_paused or self._intake.unread):
            self._expire()

    def waits_since(self) -> tuple[int, float] | None:
        """Return a key that sorts waiting connections, the longest wait first.

        Return None while the client waits for this server.
        """
        if self._present or self._source:
            return None
        if self._outlet.unsent:
            return 2, self._outlet.due
        return int(self._reader.is_in_body), self.due

    def refuse(self, error: Exception) -> None:
        """Answer with an error, in its turn, and read nothing more."""
        if self.reads_on:
            self.reads_on, self._refuses, self.due = False, True, NEVER
            self._reader.drop()
            self._intake.drop()
            self._waiting.append(error)
            self._go_on()

    def abort(self) -> None:
        """End the connection at once."""
        self._transport.abort()

    def finish(self) -> None:
        """Close the connection if no request is under way; else after its answer."""
        if not (self._present or self._waiting or self._reader.has_begun or self._intake.unread):
            self._transport.close()

    def _expire(self) -> None:
        self.due = NEVER
        if self._reader.is_in_body and self.reads_on:
            self.refuse(RequestTimeout())
        elif self._sends_more():
            self.abort()
        else:
            self._transport.close()
