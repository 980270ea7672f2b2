"""The front door of a site: the server's event loop in this process, spoken to over a socket."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable, Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPConnection
from socket import create_server
from threading import Thread
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import uvloop
from werkzeug.test import Client

from api.http.event_stream import MIME_TYPE
from api.http.flask_side.app import App
from api.http.messages import Answer
from api.serving.front import Front
from api.serving.http1.connections import Connections
from api.serving.http1.incoming import Incoming
from api.wiring import Services

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

PATIENCE_SECONDS = 30
ASCII_WITHOUT_SPACE = "".join(map(chr, range(0x21, 0x7F)))


class FrontDoor:
    """A server whose front is that of the site that was opened last.

    Tests run one after the other, and starting a server takes longer than most of them.
    """

    def __init__(self) -> None:
        self._front: Front | None = None
        self._loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
        self._listening = create_server(("127.0.0.1", 0))
        self._listening.setblocking(False)
        self._port: int = self._listening.getsockname()[1]

    @contextmanager
    def serving(self) -> Iterator[FrontDoor]:
        """Serve until the context is left."""
        thread = Thread(target=self._loop.run_forever, daemon=True)
        thread.start()
        connections = self._in_loop(self._served())
        try:
            yield self
        finally:
            self._in_loop(connections.end(PATIENCE_SECONDS))
            self._loop.call_soon_threadsafe(self._loop.stop)
            thread.join(PATIENCE_SECONDS)
            self._loop.close()

    @contextmanager
    def opened(self, application: App, services: Services) -> Iterator[Client]:
        """Yield a client of this application's front."""
        self._front = Front(application, services, self._loop)
        try:
            yield Client(self._forwarded, use_cookies=False)
        finally:
            self._front.close()
            self._front = None

    def _in_loop(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(PATIENCE_SECONDS)

    async def _served(self) -> Connections:
        connections = Connections(self._loop, self._answer)
        connections.listen(self._listening)
        return connections

    async def _answer(self, incoming: Incoming) -> Answer:
        assert self._front
        return await self._front.answer(incoming)

    def _forwarded(
        self, environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        # A WSGI application, because werkzeug's client speaks to nothing else.
        connection = HTTPConnection("127.0.0.1", self._port, timeout=PATIENCE_SECONDS)
        try:
            target = quote(environ["REQUEST_URI"].encode("latin-1"), safe=ASCII_WITHOUT_SPACE)
            connection.putrequest(environ["REQUEST_METHOD"], target, True, True)
            for name, value in _headers(environ):
                connection.putheader(name, value.encode("latin-1"))
            # The server may answer, and hang up, before it has read a body that is too large.
            with suppress(BrokenPipeError, ConnectionResetError):
                _send_body(connection, environ)
            response = connection.getresponse()
            # A stream may have no end. What is there at once is what it begins with.
            is_stream = response.getheader("Content-Type") == MIME_TYPE
            body = response.read1() if is_stream else response.read()
            start_response(f"{response.status} {response.reason}", response.getheaders())
            return [body]
        finally:
            connection.close()


def _send_body(connection: HTTPConnection, environ: WSGIEnvironment) -> None:
    if "HTTP_TRANSFER_ENCODING" in environ:
        connection.endheaders([environ["wsgi.input"].read()], encode_chunked=True)
    else:
        connection.endheaders(environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)))


def _headers(environ: WSGIEnvironment) -> Iterator[tuple[str, str]]:
    yield "Connection", "close"
    for key, value in environ.items():
        if key.startswith("HTTP_"):
            yield key.removeprefix("HTTP_").replace("_", "-"), value
        elif key in ("CONTENT_TYPE", "CONTENT_LENGTH") and value:
            yield key.replace("_", "-"), value
