"""Flask, without what no route of ours needs and every request would pay for."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

from flask import Flask, Request
from flask.sessions import NullSession, SessionInterface, SessionMixin
from werkzeug.routing import MapAdapter
from werkzeug.wsgi import ClosingIterator

from api.bodies import body_of
from api.headers import Headers, headers_in
from api.wiring import Services

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

PLAIN_LENGTH: Final = re.compile("[0-9]{1,9}", re.ASCII)
MANY_BYTES: Final = 1 << 16
CAREFUL: Final = (("X-Content-Type-Options", "nosniff"), ("Referrer-Policy", "no-referrer"))


class Sessionless(SessionInterface):
    """No sessions: everybody shows a token or a signature with every request."""

    nobody = NullSession()

    def open_session(self, app: Flask, request: Request) -> SessionMixin:
        """Return the session that cannot be written to."""
        return self.nobody


ShortCut: TypeAlias = Callable[[Headers, bytes, Services], bytes]
"""Takes a POST's headers and body, and returns the JSON of its 200."""


class App(Flask):
    """An application whose answers make browsers careful, the short ones in one piece.

    `short_cuts` are taken by path, before Flask has made anything of the request: what comes by
    the thousand costs half as much so. Whatever is not plain there, and every error, is Flask's.
    """

    session_interface = Sessionless()

    def __init__(self, name: str) -> None:
        super().__init__(name, static_folder=None)
        self.short_cuts: dict[str, ShortCut] = {}

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """Match by method and path alone: none of our routes asks for a host."""
        if request is None:
            return super().create_url_adapter(request)
        environ = request.environ
        return MapAdapter(
            self.url_map,
            environ.get("HTTP_HOST", ""),
            environ["SCRIPT_NAME"] or "/",
            "",
            environ["wsgi.url_scheme"],
            environ["PATH_INFO"].encode("latin-1").decode("utf-8", "replace"),
            environ["REQUEST_METHOD"],
        )

    def wsgi_app(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request; see PEP 3333."""
        short_cut = self.short_cuts.get(environ["PATH_INFO"])
        length = environ.get("CONTENT_LENGTH", "")
        if short_cut and environ["REQUEST_METHOD"] == "POST" and PLAIN_LENGTH.fullmatch(length):
            return self._cut_short(short_cut, int(length), environ, start_response)
        return self._whole(super().wsgi_app, environ, start_response)

    def _cut_short(
        self,
        short_cut: ShortCut,
        length: int,
        environ: WSGIEnvironment,
        start_response: StartResponse,
    ) -> Iterable[bytes]:
        try:
            body = body_of(length, environ["wsgi.input"])
            answer = short_cut(headers_in(environ), body, self.extensions["milepost"])
        except Exception as error:
            # Handled as Flask handles what a view raises.
            with self.request_context(environ):
                response = self.finalize_request(self.handle_user_exception(error))
                return self._whole(response, environ, start_response)
        given = [("Content-Type", "application/json"), ("Content-Length", str(len(answer)))]
        start_response("200 OK", [*given, *CAREFUL])
        return [answer]

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
