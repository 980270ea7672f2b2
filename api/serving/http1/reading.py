"""Reading: the bytes of a connection become whole requests, or the error that refuses one.

llhttp (by httptools) calls an `on_…` method for each part of a request, while bytes come in.
"""

from __future__ import annotations

from typing import Final, Protocol

from httptools import (
    HttpParserCallbackError,
    HttpParserError,
    HttpParserUpgrade,
    HttpRequestParser,
)
from werkzeug.exceptions import (
    BadRequest,
    HTTPException,
    HTTPVersionNotSupported,
    RequestEntityTooLarge,
    RequestHeaderFieldsTooLarge,
    RequestURITooLarge,
)
from werkzeug.exceptions import NotImplemented as NotImplementedByServer

from api.http.bodies import MAX_BODY_BYTES
from api.serving.http1.incoming import FIELD_BYTES, Ends, Fields, Incoming

MAX_HEAD_BYTES: Final = 64 * 1024
MAX_PATH_BYTES: Final = 8 * 1024
"""A path of 31,000 percent signs would cost the loop some 60 ms to decode and to quote again."""
MAX_AROUND_BODY: Final = 2 * MAX_HEAD_BYTES
"""How many bytes a request has besides its body: those of its head, its chunks' lines, its trailer.

llhttp copies a line that has not ended whenever more of it comes. While a trailer could have 7 MiB,
each further byte of it cost the loop 1 ms.
"""
MAX_FIELDS: Final = 100
"""How many names a head has at most; and how many further lines, with those of the trailer.

Short lines take far more time and memory than their bytes.
"""
MAX_CHUNKS: Final = 1024
"""How many chunks a body may have besides one for every `CHUNK_BYTES`.

Chunks of one byte cost the loop as much as a thousand times their bytes. While 300 connections sent
such bodies, a worker gave no sign of life for 10 s, and its supervisor killed it.
"""
CHUNK_BYTES: Final = 256
MAX_LENGTH_DIGITS: Final = 12
FREE_BYTES: Final = 4096
"""How many bytes an unfinished request may have before it asks for room."""
CHUNKED: Final = b"chunked"
LENGTH: Final = b"content-length"
ASKS: Final = (b"upgrade", b"connection", b"expect")
"""What a request says once, before it is read without its question for another protocol."""


class Reads(Protocol):
    """Where whole requests go. While `reads_on` is false, no further request may begin."""

    reads_on: bool

    def begin_body(self, *, is_awaited: bool) -> None:
        """Take note that a head is whole; `is_awaited` if its client waits for 100 Continue."""
        ...

    def hold(self, size: int) -> None:
        """Take note that an unfinished request has this many bytes so far."""
        ...

    def take(self, incoming: Incoming, *, is_last: bool) -> None:
        """Take a whole request; `is_last` if its connection ends after it."""
        ...


class Reader:
    """Reads the requests of one connection for a `Reads`, within the bounds of each request.

    `method` and `target` are those of the request that began last, as far as they have come.
    """

    def __init__(self, to: Reads, ends: Ends) -> None:
        self.method = self._version = ""
        self.target = b""
        self.has_begun = self.is_in_body = False
        self._to = to
        self._ends = ends
        self._fields: Fields = {}
        self._body = bytearray()
        self._bytes_read = self._others = self._repeated_bytes = 0
        self._chunks = 0
        self._is_counted = True
        self._parser = HttpRequestParser(self)

    def feed(self, data: bytes) -> None:
        """Read at most 64 KiB; raise an `HTTPException` for what is malformed or too large."""
        if not self.has_begun:
            self._chunks = 0  # here, so that requests which come in one piece share the bound
        self._bytes_read += len(data)
        rest = self._parsed(data)
        if rest is not None and self.has_begun:
            self._read_on(rest)
        elif self._bytes_read:
            self._check_unfinished(len(data))

    def _parsed(self, data: bytes) -> bytes | None:
        """Parse; return what follows a head that asks for another protocol, else None."""
        try:
            self._parser.feed_data(data)
        except HttpParserUpgrade as upgrade:
            return data[upgrade.args[0] :]
        except HttpParserError as error:
            # What an `on_…` method raised is the context of the parser's error.
            raised = error.__context__ if isinstance(error, HttpParserCallbackError) else None
            raise (raised or BadRequest(str(error))) from None
        return None

    def drop(self) -> None:
        """Hold nothing of the present request."""
        self._fields, self._body = {}, bytearray()

    def close(self) -> None:
        """Read nothing more."""
        # The parser has methods of this object, so each would keep the other one in memory.
        del self._parser

    # What the parser calls

    def on_message_begin(self) -> None:
        """Begin a request."""
        if not self._to.reads_on:
            raise BadRequest("nothing more is read on this connection")
        self.method, self.target = "", b""
        self.has_begun, self._others, self._repeated_bytes = True, 0, 0
        # The bytes of a head that follows another request in one piece are not counted.
        self._is_counted = self._bytes_read > 0
        self._bytes_read = self._bytes_read or 1

    def on_url(self, target: bytes) -> None:
        """Take a piece of the target; the method is known by now."""
        # Not later: a head that is too large is refused before it ends, and HEAD gets no body.
        self.method = self._parser.get_method().decode()
        self.target += target
        is_long = len(self.target) > MAX_PATH_BYTES
        if is_long and len(self.target.partition(b"?")[0]) > MAX_PATH_BYTES:
            raise RequestURITooLarge

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a line of the head; pass over a trailer, which follows a body in chunks."""
        if self.is_in_body:
            self._count_another()
            return
        name, fields = name.lower(), self._fields
        if name in fields:
            if name == b"host":
                raise BadRequest("the request names two hosts")
            self._count_another()
            fields[name] += b"," + value
            self._repeated_bytes += len(name) + 4
        elif len(fields) >= MAX_FIELDS:
            raise RequestHeaderFieldsTooLarge
        else:
            fields[name] = value

    def on_headers_complete(self) -> None:
        """Refuse a request that is too large or ambiguous; else wait for its body."""
        self.is_in_body = True
        is_small = self._is_counted and self._bytes_read <= MAX_HEAD_BYTES
        if not is_small and self._size_of_head() > MAX_HEAD_BYTES:
            raise self._large_head()
        if self.method == "CONNECT":  # its body would be read as another protocol
            raise NotImplementedByServer
        fields = self._fields
        self._version = version = self._parser.get_http_version()
        if version == "1.1":
            if b"host" not in fields:
                raise BadRequest("a request of HTTP/1.1 must name its host")
        elif version != "1.0":  # llhttp knows 0.9 and 2.0 as well
            raise HTTPVersionNotSupported
        elif b"transfer-encoding" in fields:
            # A proxy of that version knows no chunks, and sees the end of the body elsewhere.
            raise BadRequest("HTTP/1.0 has no transfer coding")
        coding, length = fields.get(b"transfer-encoding"), fields.get(LENGTH)
        if coding is None and length is None:
            return  # it has no body
        if coding is not None and coding.lower() != CHUNKED:
            raise BadRequest("the only transfer coding that is read is chunked")
        # The parser has refused a length that is no number.
        if length and (len(length) > MAX_LENGTH_DIGITS or int(length) > MAX_BODY_BYTES):
            raise RequestEntityTooLarge
        is_awaited = fields.get(b"expect", b"").lower() == b"100-continue"
        self._to.begin_body(is_awaited=is_awaited)

    def on_chunk_header(self) -> None:
        """Refuse a body in too many chunks."""
        self._chunks += 1
        if self._chunks > MAX_CHUNKS + len(self._body) // CHUNK_BYTES:
            raise RequestEntityTooLarge("The body has too many chunks: send larger ones.")

    def on_body(self, piece: bytes) -> None:
        """Take a piece of the body."""
        self._body += piece
        if len(self._body) > MAX_BODY_BYTES:
            raise RequestEntityTooLarge

    def on_message_complete(self) -> None:
        """Pass the whole request on."""
        if self._parser.should_upgrade() and self._has_body():
            return  # it is not whole: see `_read_on`
        self.is_in_body = self.has_begun = False
        self._bytes_read = 0
        parser, fields, body = self._parser, self._fields, bytes(self._body)
        # Now, and not when the next request begins: that may take a minute, in thousands of
        # connections.
        self.drop()
        self._to.take(
            Incoming(self.method, self.target, self._version, fields, body, self._ends),
            is_last=parser.should_upgrade() or not parser.should_keep_alive(),
        )

    def _count_another(self) -> None:
        # At once, and not when the head ends: each further line costs far more than its bytes.
        self._others += 1
        if self._others > MAX_FIELDS:
            raise RequestHeaderFieldsTooLarge

    def _has_body(self) -> bool:
        return b"transfer-encoding" in self._fields or int(self._fields.get(LENGTH, 0)) > 0

    def _read_on(self, rest: bytes) -> None:
        """Read the body of a request that asks for another protocol as if it had not asked.

        No other protocol is spoken here, and some clients ask whenever they send (RFC 9110, 7.8).
        The parser takes what follows such a head for the other protocol, so a new one has to read
        the same head without the question. The connection ends after the answer.
        """
        lines = [b"%s: %s\r\n" % each for each in self._fields.items() if each[0] not in ASKS]
        first = b"%s %s HTTP/%s\r\n" % (self.method.encode(), self.target, self._version.encode())
        self.is_in_body = False
        self.drop()
        self._parser = HttpRequestParser(self)
        self.feed(b"".join([first, *lines, b"connection: close\r\n\r\n", rest]))

    def _check_unfinished(self, piece: int) -> None:
        if self.is_in_body:
            if self._bytes_read - len(self._body) > MAX_AROUND_BODY:
                raise RequestEntityTooLarge
        elif self._bytes_read > MAX_HEAD_BYTES:
            raise self._large_head()
        size = self._bytes_read if self._is_counted else self._bytes_read + piece
        size += FIELD_BYTES * len(self._fields)
        if size > FREE_BYTES:
            self._to.hold(size)

    def _size_of_head(self) -> int:
        lines = sum(len(name) + len(value) + 4 for name, value in self._fields.items())
        return len(self.target) + lines + self._repeated_bytes

    def _large_head(self) -> HTTPException:
        if len(self.target) > MAX_HEAD_BYTES // 2:
            return RequestURITooLarge()
        return RequestHeaderFieldsTooLarge()
