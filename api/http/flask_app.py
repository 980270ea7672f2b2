"""Flask, without what no route of ours needs and every request would pay for."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final, cast

from flask import Flask, Request, Response
from flask.sessions import NullSession, SessionInterface, SessionMixin
from werkzeug.routing import MapAdapter
from werkzeug.wsgi import ClosingIterator

from api.http.messages import Answer

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

MANY_BYTES: Final = 1 << 16
CAREFUL: Final = (("X-Content-Type-Options", "nosniff"), ("Referrer-Policy", "no-referrer"))
"""Headers of every answer, which make browsers careful."""


class Sessionless(SessionInterface):
    """No sessions: every request shows a token or a signature."""

    nobody = NullSession()

    def open_session(self, app: Flask, request: Request) -> SessionMixin:
        """Return the session that cannot be written to."""
        return self.nobody


class App(Flask):
    """An application whose views return `Answer`, and whose short answers are sent in one piece."""

    session_interface = Sessionless()

    def __init__(self, name: str) -> None:
        super().__init__(name, static_folder=None)

    def make_response(self, rv: Any) -> Response:
        """Return what a view returned as one of Flask's responses."""
        if isinstance(rv, Answer):
            return Response(rv.body, rv.status, rv.headers)
        return super().make_response(rv)

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """Match by method and path alone: none of our routes asks for a host."""
        if request is None:
            return super().create_url_adapter(request)
        environ = request.environ
        return MapAdapter(
            self.url_map,
            environ.get("HTTP_HOST", ""),
            environ.get("SCRIPT_NAME") or "/",
            "",
            environ["wsgi.url_scheme"],
            environ.get("PATH_INFO", "").encode("latin-1").decode("utf-8", "replace"),
            environ["REQUEST_METHOD"],
        )

    def wsgi_app(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request; see PEP 3333."""
        short = False

        def start(status: str, headers: list[tuple[str, str]], *exc: Any) -> Any:
            nonlocal short
            unsaid = 0 if status.startswith("304") else MANY_BYTES
            short = int(dict(headers).get("Content-Length", unsaid)) < MANY_BYTES
            return start_response(status, [*headers, *CAREFUL], *exc)

        body = super().wsgi_app(environ, start)
        if not short:
            return body
        # A server sends a list at once. For an iterator it asks for the next piece, and threads
        # change places each time.
        with closing(cast(ClosingIterator, body)):
            return [b"".join(body)]
