"""Flask behind the front: whole requests go to a bounded pool of threads, whole answers come back.

A thread is busy only while Flask works: the front has read the request before, and sends the
answer afterwards, however slow the client is.
"""

from __future__ import annotations

import sys
from functools import partial
from io import BytesIO
from typing import TYPE_CHECKING, Any

from werkzeug.exceptions import ClientDisconnected

from api.http.messages import Answer
from api.serving.http1.incoming import Incoming
from api.serving.threads import BoundedThreads

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment


class FlaskBehind:
    """Runs a WSGI application for requests whose bodies are read already."""

    def __init__(self, application: WSGIApplication, threads: BoundedThreads) -> None:
        self._application = application
        self._threads = threads

    async def answer(self, environ: WSGIEnvironment, incoming: Incoming, caller: str) -> Answer:
        """Return the application's answer; raise what `BoundedThreads.run` raises."""
        return await self._threads.run(partial(self._run, environ, incoming), caller)

    def _run(self, environ: WSGIEnvironment, incoming: Incoming) -> Answer:
        if incoming.is_gone:  # nobody would see what is done
            raise ClientDisconnected
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


def environ_of(incoming: Incoming, path: bytes, query: bytes, body: bytes) -> WSGIEnvironment:
    """Return the WSGI environment (PEP 3333) of a request."""
    client, server = incoming.ends
    environ: WSGIEnvironment = {
        "REQUEST_METHOD": incoming.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": path.decode("latin-1"),
        "QUERY_STRING": query.decode("latin-1"),
        "SERVER_NAME": server[0],
        "SERVER_PORT": str(server[1]),
        "SERVER_PROTOCOL": f"HTTP/{incoming.version}",
        "REMOTE_ADDR": client[0],
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for name, value in incoming.fields.items():
        if b"_" in name:  # WSGI writes X_Signature and X-Signature alike; proxies drop the former
            continue
        key = name.decode("latin-1").upper().replace("-", "_")
        environ[f"HTTP_{key}"] = value.decode("latin-1")
    # The body is whole by now, however it came.
    environ.pop("HTTP_TRANSFER_ENCODING", None)
    environ["CONTENT_LENGTH"] = str(len(body))
    environ.pop("HTTP_CONTENT_LENGTH", None)
    if content_type := environ.pop("HTTP_CONTENT_TYPE", None):
        environ["CONTENT_TYPE"] = content_type
    return environ


def _no_write(_: bytes) -> object:
    raise RuntimeError("the application calls write(), which PEP 3333 keeps for old frameworks")
