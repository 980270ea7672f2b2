"""Flask behind the front: whole requests go to a bounded pool of threads, whole answers come back.

A thread is busy only while Flask works: the front has read the request before, and sends the
answer afterwards, however slow the client is.
"""

from __future__ import annotations

import sys
from asyncio import AbstractEventLoop, wait_for
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final

from api.http.messages import Answer
from domain.errors import QueueFull, StoreUnavailable

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment

THREADS: Final = 16
MAX_WAITING: Final = 256
"""How many requests may wait for a thread."""
PATIENCE_SECONDS: Final = 15.0
"""How long a request may take, with its wait for a thread."""


class FlaskBehind:
    """Runs a WSGI application for requests whose bodies are read already."""

    def __init__(
        self, application: WSGIApplication, loop: AbstractEventLoop, threads: ThreadPoolExecutor
    ) -> None:
        self._application = application
        self._loop = loop
        self._threads = threads
        self._under_way = 0

    async def answer(self, environ: WSGIEnvironment) -> Answer:
        """Return the application's answer.

        Raises `QueueFull` if too many requests wait, and `StoreUnavailable` if there is no answer
        within 15 s; the thread then finishes its work for nobody.
        """
        if self._under_way >= THREADS + MAX_WAITING:
            raise QueueFull
        self._under_way += 1
        answered = self._loop.run_in_executor(self._threads, self._run, environ)
        answered.add_done_callback(self._one_less)
        try:
            return await wait_for(answered, PATIENCE_SECONDS)
        except TimeoutError:
            reason = f"no answer within {PATIENCE_SECONDS:g} s"
            raise StoreUnavailable(reason) from None

    def _one_less(self, _: object) -> None:
        self._under_way -= 1

    def _run(self, environ: WSGIEnvironment) -> Answer:
        started: list[Any] = []

        def start_response(status: str, headers: list[tuple[str, str]], *_: Any) -> Any:
            started[:] = [int(status[:3]), headers]
            return _no_write

        chunks = self._application(environ, start_response)
        try:
            body = b"".join(chunks)
        finally:
            if close := getattr(chunks, "close", None):
                close()
        status, headers = started
        return Answer(status, headers, body)


def environ_of(
    method: str, path: str, query: str, headers: Mapping[str, str], body: bytes, scope: Any
) -> WSGIEnvironment:
    """Return the WSGI environment (PEP 3333) of a request whose body is read."""
    host, _, port = scope.server.rpartition(":")
    environ: WSGIEnvironment = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": path.encode().decode("latin-1"),
        "QUERY_STRING": query,
        "SERVER_NAME": host,
        "SERVER_PORT": port,
        "SERVER_PROTOCOL": f"HTTP/{scope.http_version}",
        "REMOTE_ADDR": scope.client.rpartition(":")[0],
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope.scheme,
        "wsgi.input": BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for name, value in headers.items():
        environ[f"HTTP_{name.upper().replace('-', '_')}"] = value
    # The body is whole by now, however it came.
    environ.pop("HTTP_TRANSFER_ENCODING", None)
    environ["CONTENT_LENGTH"] = str(len(body))
    environ.pop("HTTP_CONTENT_LENGTH", None)
    if content_type := environ.pop("HTTP_CONTENT_TYPE", None):
        environ["CONTENT_TYPE"] = content_type
    return environ


def _no_write(_: bytes) -> object:
    raise RuntimeError("the application calls write(), which PEP 3333 keeps for old frameworks")
