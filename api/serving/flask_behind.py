"""Flask behind the front: whole requests go to a bounded pool of threads, whole answers come back.

A thread is busy only while Flask works: the front has read the request before, and sends the
answer afterwards, however slow the client is.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from functools import partial
from io import BytesIO
from typing import TYPE_CHECKING, Any

from api.http.messages import Answer
from api.serving.threads import BoundedThreads

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment


class FlaskBehind:
    """Runs a WSGI application for requests whose bodies are read already."""

    def __init__(self, application: WSGIApplication, threads: BoundedThreads) -> None:
        self._application = application
        self._threads = threads

    async def answer(self, environ: WSGIEnvironment) -> Answer:
        """Return the application's answer; raise what `BoundedThreads.run` raises."""
        return await self._threads.run(partial(self._run, environ))

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
        "QUERY_STRING": query.encode().decode("latin-1"),
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
        if "_" in name:  # WSGI writes X_Signature and X-Signature alike; proxies drop the former
            continue
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
