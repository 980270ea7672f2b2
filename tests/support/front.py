"""The front door of a site: granian in this process, spoken to over a socket."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPConnection
from socket import socket
from threading import Event, Thread
from time import monotonic
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from granian.constants import HTTPModes, Interfaces
from granian.server.embed import Server
from werkzeug.test import Client

from api.http.flask_side.app import App
from api.serving.front import Front
from api.wiring import Services
from tests.support.server import free_port

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

PATIENCE_SECONDS = 30
ASCII_WITHOUT_SPACE = "".join(map(chr, range(0x21, 0x7F)))


class FrontDoor:
    """A server whose front is that of the site that was opened last.

    Tests run one after the other, and starting a server takes longer than most of them.
    """

    def __init__(self) -> None:
        self._port = free_port()
        self._front: Front | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    @contextmanager
    def serving(self) -> Iterator[FrontDoor]:
        """Serve until the context is left."""
        thread = Thread(target=asyncio.run, args=(self._serve(),), daemon=True)
        thread.start()
        self._wait_until_it_listens()
        try:
            yield self
        finally:
            assert self._loop
            self._loop.call_soon_threadsafe(self._server.stop)
            thread.join(PATIENCE_SECONDS)

    @contextmanager
    def opened(self, application: App, services: Services) -> Iterator[Client]:
        """Yield a client of this application's front."""
        assert self._loop
        self._front = Front(application, services)
        self._front.__rsgi_init__(self._loop)
        try:
            yield Client(self._forwarded)
        finally:
            self._front.__rsgi_del__(self._loop)
            self._front = None

    def _wait_until_it_listens(self) -> None:
        deadline = monotonic() + PATIENCE_SECONDS
        while True:
            with socket() as probe:
                if probe.connect_ex(("127.0.0.1", self._port)) == 0:
                    return
            assert monotonic() < deadline
            Event().wait(0.01)

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._server = Server(
            self._answer,
            address="127.0.0.1",
            port=self._port,
            interface=Interfaces.RSGI,
            http=HTTPModes.http1,
            websockets=False,
            log_enabled=False,
        )
        await self._server.serve()

    async def _answer(self, scope: Any, protocol: Any) -> None:
        assert self._front
        await self._front.__rsgi__(scope, protocol)

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
            body = response.read()
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
