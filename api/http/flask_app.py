"""Flask, without what no route of ours needs and every request would pay for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

from flask import Flask, Request
from flask.sessions import NullSession, SessionInterface, SessionMixin
from werkzeug.routing import MapAdapter
from werkzeug.wsgi import ClosingIterator

from api.http.answers import Plain
from api.wiring import Services

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

MANY_BYTES: Final = 1 << 16
CAREFUL: Final = (("X-Content-Type-Options", "nosniff"), ("Referrer-Policy", "no-referrer"))


class Sessionless(SessionInterface):
    """No sessions: everybody shows a token or a signature with every request."""

    nobody = NullSession()

    def open_session(self, app: Flask, request: Request) -> SessionMixin:
        """Return the session that cannot be written to."""
        return self.nobody


Glance: TypeAlias = Callable[["WSGIEnvironment", Services], Plain | None]
"""Answers a request at a glance, or returns None, or raises what a view would raise."""


class App(Flask):
    """An application whose answers make browsers careful, the short ones in one piece.

    `glances` are asked before Flask makes anything of a request: what comes by the thousand costs
    half as much so. Whatever they do not know, and every error, is Flask's.
    """

    session_interface = Sessionless()

    def __init__(self, name: str, glances: Sequence[Glance]) -> None:
        super().__init__(name, static_folder=None)
        self.glances = glances

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
        here = self.extensions["milepost"]
        try:
            for glance in self.glances:
                if plain := glance(environ, here):
                    start_response(plain.status, [*plain.headers, *CAREFUL])
                    return [plain.body]
        except Exception as error:
            # Handled as Flask handles what a view raises.
            with self.request_context(environ):
                response = self.finalize_request(self.handle_user_exception(error))
                return self._whole(response, environ, start_response)
        return self._whole(super().wsgi_app, environ, start_response)

    def _whole(
        self,
        application: WSGIApplication,
        environ: WSGIEnvironment,
        start_response: StartResponse,
    ) -> Iterable[bytes]:
        short = False

        def start(status: str, headers: list[tuple[str, str]], *exc: Any) -> Any:
            nonlocal short
            unsaid = 0 if status.startswith("304") else MANY_BYTES
            short = int(dict(headers).get("Content-Length", unsaid)) < MANY_BYTES
            return start_response(status, [*headers, *CAREFUL], *exc)

        body = application(environ, start)
        if not short:
            return body
        # A list is sent at once; of anything else the server asks for the next piece, and each
        # time threads change places.
        with closing(cast(ClosingIterator, body)):
            return [b"".join(body)]
