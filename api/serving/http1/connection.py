"""A connection of HTTP/1.1, which the event loop's own thread reads and writes.

1. llhttp (by httptools) calls an `on_…` method for each part of a request, while bytes come in.
2. A whole request waits for the answers of those before it on its connection, then for its own.
3. The answer is written in one piece. Then the connection waits for the next request, or closes.

A request that is malformed, too large or too slow is refused in its turn. Nothing after it is read:
the connection ends.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Final, cast
from urllib.parse import unquote

from httptools import (
    HttpParserCallbackError,
    HttpParserError,
    HttpParserUpgrade,
    HttpRequestParser,
)
from werkzeug.exceptions import (
    BadRequest,
    RequestEntityTooLarge,
    RequestHeaderFieldsTooLarge,
    RequestTimeout,
    RequestURITooLarge,
)

from api.http.bodies import MAX_BODY_BYTES
from api.http.messages import Answer
from api.http.problems import problem_of
from api.serving.http1.incoming import Ends, Fields, Incoming
from api.serving.http1.outgoing import CONTINUE, in_bytes

if TYPE_CHECKING:
    from api.serving.http1.connections import Connections

MAX_HEAD_BYTES: Final = 64 * 1024
MAX_REQUEST_BYTES: Final = MAX_HEAD_BYTES + 8 * MAX_BODY_BYTES
"""How much a request takes on the wire: a chunk of one byte takes six, and trailers follow."""
MAX_LENGTH_DIGITS: Final = 12
MAX_NAMED: Final = 1024
"""How much of a request's path its refusal names."""
MAX_PIPELINED: Final = 16
"""How many requests may wait behind one that is being answered; the connection ends after them."""
NEVER: Final = float("inf")
CHUNKED: Final = b"chunked"
CLOSE: Final = ("connection: close\r\n",)
KEEP_ALIVE: Final = ("connection: keep-alive\r\n",)

Respond = Callable[[Incoming], Awaitable[Answer]]
"""Returns the answer to a request, and never raises."""


class Connection(asyncio.Protocol):
    """A client's connection. `due` is the tick of `Connections` at which its patience ends."""

    def __init__(self, connections: Connections, respond: Respond, ends: Ends) -> None:
        self.due = NEVER
        self._connections = connections
        self._respond = respond
        self._ends = ends
        self._limits = connections.limits
        self._parser = HttpRequestParser(self)
        self._target = b""
        self._fields: Fields = {}
        self._method = ""
        self._body = bytearray()
        self._has_begun = self._in_body = False
        self._bytes_read = self._repeated_bytes = 0
        self._is_counted = True
        # Requests, and errors that refuse one, behind the one that is being answered.
        self._waiting: deque[Incoming | Exception] = deque()
        self._present: Incoming | None = None
        self._task: asyncio.Task[None] | None = None
        self._reads_on = True
        self._has_eof = self._is_paused = self._is_clogged = False
        self._unsent = 0
        self._write_due = NEVER

    # What the transport calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.Protocol`."""
        # uvloop's transports are not derived from asyncio's.
        self._transport = cast(asyncio.Transport, transport)
        self.due = self._connections.after(self._limits.idle)
        self._connections.open.add(self)

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        if not self._reads_on:
            return
        if len(data) > MAX_HEAD_BYTES:
            for start in range(0, len(data), MAX_HEAD_BYTES):
                self.data_received(data[start : start + MAX_HEAD_BYTES])
            return
        self._bytes_read += len(data)
        try:
            self._parser.feed_data(data)
        except HttpParserUpgrade:
            pass  # no other protocol is spoken here, and the connection ends after the answer
        except HttpParserError as error:
            # What an `on_…` method raised is the context of the parser's error.
            raised = error.__context__ if isinstance(error, HttpParserCallbackError) else None
            self._refuse(raised if isinstance(raised, Exception) else BadRequest(str(error)))
        else:
            if self._in_body:
                if self._bytes_read > MAX_REQUEST_BYTES:
                    self._refuse(RequestEntityTooLarge())
            elif self._bytes_read > MAX_HEAD_BYTES:
                self._refuse(self._large_head())

    def eof_received(self) -> bool:
        """See `asyncio.Protocol`: a client that sends no more may still wait for answers."""
        self._reads_on, self._has_eof = False, True
        return self._present is not None

    def connection_lost(self, error: Exception | None) -> None:
        """See `asyncio.Protocol`."""
        self._connections.discard(self)
        if self._present:
            self._present.is_gone = True
        self._waiting.clear()
        self._reads_on = False
        # The parser has methods of this object, so each would keep the other one in memory.
        del self._parser

    def pause_writing(self) -> None:
        """See `asyncio.Protocol`: the client is slow to take its answers."""
        self._is_clogged = True

    def resume_writing(self) -> None:
        """See `asyncio.Protocol`."""
        self._is_clogged = False
        self._go_on()

    # What the parser calls

    def on_message_begin(self) -> None:
        """Begin a request."""
        if not self._reads_on:
            raise BadRequest("nothing more is read on this connection")
        self._method, self._target = "", b""
        self._fields, self._body = {}, bytearray()
        self._has_begun, self._repeated_bytes = True, 0
        # The bytes of a head that follows another request in one piece are not counted.
        self._is_counted = self._bytes_read > 0

    def on_url(self, target: bytes) -> None:
        """Take a piece of the target; the method is known by now."""
        # Not later: a head that is too large is refused before it ends, and HEAD gets no body.
        self._method = self._parser.get_method().decode()
        self._target += target

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a line of the head; pass over a trailer, which follows a body in chunks."""
        if self._in_body:
            return
        name, fields = name.lower(), self._fields
        if name in fields:
            if name == b"host":
                raise BadRequest("the request names two hosts")
            fields[name] += b"," + value
            self._repeated_bytes += len(name) + 4
        else:
            fields[name] = value

    def on_headers_complete(self) -> None:
        """Refuse a request that is too large or ambiguous; else wait for its body."""
        self._in_body = True
        is_small = self._is_counted and self._bytes_read <= MAX_HEAD_BYTES
        if not is_small and self._size_of_head() > MAX_HEAD_BYTES:
            raise self._large_head()
        if b"host" not in self._fields and self._parser.get_http_version() == "1.1":
            raise BadRequest("a request of HTTP/1.1 must name its host")
        if self._fields.get(b"transfer-encoding", CHUNKED).lower() != CHUNKED:
            raise BadRequest("the only transfer coding that is read is chunked")
        if length := self._fields.get(b"content-length"):
            # The parser has refused a length that is no number.
            if len(length) > MAX_LENGTH_DIGITS or int(length) > MAX_BODY_BYTES:
                raise RequestEntityTooLarge
        if self._fields.get(b"expect", b"").lower() == b"100-continue" and not self._present:
            self._transport.write(CONTINUE)
        self.due = self._connections.after(self._limits.body)

    def on_body(self, piece: bytes) -> None:
        """Take a piece of the body."""
        self._body += piece
        if len(self._body) > MAX_BODY_BYTES:
            raise RequestEntityTooLarge

    def on_message_complete(self) -> None:
        """Let the request wait for its answer."""
        self._in_body = self._has_begun = False
        self._bytes_read, self.due = 0, NEVER
        parser, body = self._parser, bytes(self._body)
        self._reads_on = (
            parser.should_keep_alive()
            and not parser.should_upgrade()
            and len(self._waiting) < MAX_PIPELINED
        )
        version = parser.get_http_version()
        self._waiting.append(
            Incoming(self._method, self._target, version, self._fields, body, self._ends)
        )
        self._go_on()
        if self._waiting and not self._is_paused:
            self._transport.pause_reading()
            self._is_paused = True

    # Answering

    def _go_on(self) -> None:
        """Begin with the next request that waits, if its turn has come."""
        if self._present or self._is_clogged or self._transport.is_closing():
            return
        if not self._waiting:
            if self._is_paused:
                self._read_again()
                # The rest of a body that was under way has its time from now on.
                self.due = self._connections.after(self._limits.body)
            if not self._in_body:
                self.due = self._connections.after(self._limits.idle)
            return
        following = self._waiting.popleft()
        if isinstance(following, Exception):
            path = unquote(self._target.partition(b"?")[0][:MAX_NAMED].decode("latin-1"))
            self._send(self._method, problem_of(following, self._method, path), CLOSE)
            return
        self._present = following
        self._task = self._connections.loop.create_task(self._answer(following))

    async def _answer(self, incoming: Incoming) -> None:
        answer = await self._respond(incoming)
        self._present = None
        if self._transport.is_closing():
            return
        if self._connections.is_draining() or not (self._reads_on or self._waiting):
            self._send(incoming.method, answer, CLOSE)
            return
        # A client of HTTP/1.0 that asks to be kept wants to hear that it is.
        more = KEEP_ALIVE if b"connection" in incoming.fields else ()
        self._send(incoming.method, answer, more)
        self._go_on()

    def _send(self, method: str, answer: Answer, more: Sequence[str]) -> None:
        try:
            written = in_bytes(method, answer, [self._connections.date, *more])
        except ValueError as error:  # a bug: a text that no header can have
            answer = problem_of(error, method, "")
            written = in_bytes(method, answer, [self._connections.date, *more])
        self._transport.write(written)
        if more is CLOSE:
            self._end()

    def _refuse(self, error: Exception) -> None:
        """Answer with an error, in its turn, and read nothing more."""
        if self._reads_on:
            self._reads_on, self._in_body, self.due = False, True, NEVER
            self._waiting.append(error)
            self._go_on()

    def _end(self) -> None:
        self._reads_on = False
        self._waiting.clear()
        if not self._in_body or self._has_eof:
            self._transport.close()
            return
        # The client may be sending. To close now would reset the connection, and the client could
        # lose the answer. So it has some seconds to read the answer and to hang up.
        if self._is_paused:
            self._read_again()
        self._transport.write_eof()
        self.due = self._connections.after(self._limits.linger)

    def _read_again(self) -> None:
        self._transport.resume_reading()
        self._is_paused = False

    def _size_of_head(self) -> int:
        lines = sum(len(name) + len(value) + 4 for name, value in self._fields.items())
        return len(self._target) + lines + self._repeated_bytes

    def _large_head(self) -> Exception:
        if len(self._target) > MAX_HEAD_BYTES // 2:
            return RequestURITooLarge()
        return RequestHeaderFieldsTooLarge()

    # What `Connections` calls

    def look(self, tick: float) -> None:
        """End what has taken too long; called every `LOOK_SECONDS`."""
        unsent = self._transport.get_write_buffer_size()
        if unsent:
            if not 0 < self._unsent <= unsent:
                self._write_due = self._connections.after(self._limits.write)
            elif self._write_due <= tick:
                self._transport.abort()
        self._unsent = unsent
        # While nothing is read, the client cannot be in time.
        if self.due <= tick and not self._is_paused:
            self._expire()

    def finish(self) -> None:
        """Close the connection if no request is under way; else after its answer."""
        if not (self._present or self._waiting or self._has_begun):
            self._transport.close()

    def _expire(self) -> None:
        self.due = NEVER
        if self._in_body and self._reads_on:
            self._refuse(RequestTimeout())
        elif self._in_body:
            self._transport.abort()
        else:
            self._transport.close()
