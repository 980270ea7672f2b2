"""Flask without features that no route uses and that every request would pay for."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from typing import TYPE_CHECKING, Any, ClassVar, Final, cast

from flask import Flask, Request, Response
from flask.sessions import NullSession, SessionInterface, SessionMixin
from jinja2 import StrictUndefined
from werkzeug.exceptions import RequestURITooLarge
from werkzeug.routing import MapAdapter
from werkzeug.wsgi import ClosingIterator

from api.http.callers.links import KEY, take_link
from api.http.callers.proxies import Proxies
from api.http.cross_origin import CrossOrigin
from api.http.headers import headers_of
from api.http.messages import Answer
from api.http.request_ids import HEADER, REQUEST_ID, begin

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

MOST_PARAMETERS: Final = 256
"""How many parameters a query may have. To read 28,000 of them took 20 ms."""
MANY_BYTES: Final = 1 << 16
CAREFUL: Final = (
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
)
"""Security headers of every answer that has no others under these names."""
NO_SCRIPT: Final = ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
"""The policy of a page that has none of its own, such as a redirect's."""
PRIVATE: Final = ("Cache-Control", "private, no-cache")
"""What a cache may do with the answer to a request with a cookie or a link. A cache that many
people share keeps no answer to `Authorization` by itself, but it may keep this one (RFC 9111,
3.5)."""


class Sessionless(SessionInterface):
    """No sessions: every request carries a token or a signature."""

    empty = NullSession()

    def open_session(self, app: Flask, request: Request) -> SessionMixin:
        """Return an empty session, which refuses writes."""
        return self.empty


class App(Flask):
    """An application whose views return `Answer`, and whose short answers are sent in one piece."""

    session_interface = Sessionless()
    jinja_options: ClassVar = {  # type: ignore[misc]
        "undefined": StrictUndefined,
        "trim_blocks": True,
        "lstrip_blocks": True,
    }

    def __init__(self, name: str, proxies: Proxies, cross_origin: CrossOrigin) -> None:
        super().__init__(name, static_folder=None)
        self.proxies = proxies
        self.cross_origin = cross_origin

    def make_response(self, rv: Any) -> Response:
        """Return a view's result as a Flask response."""
        if isinstance(rv, Answer):
            return Response(rv.body, rv.status, rv.headers)
        return super().make_response(rv)

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """Match by method and path alone: no route depends on the host.

        Raises `RequestURITooLarge` for a query of too many parameters, whoever asks.
        """
        if request is None:
            return super().create_url_adapter(request)
        environ = request.environ
        if environ.get("QUERY_STRING", "").count("&") >= MOST_PARAMETERS:
            raise RequestURITooLarge(f"A query has at most {MOST_PARAMETERS} parameters.")
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
        self.proxies.resolve(environ)
        take_link(environ)
        before = REQUEST_ID.get()
        request_id = begin(environ.get("HTTP_X_REQUEST_ID"))
        try:
            return self._answered(environ, start_response, request_id)
        finally:
            REQUEST_ID.set(before)

    def _answered(
        self, environ: WSGIEnvironment, start_response: StartResponse, request_id: str
    ) -> Iterable[bytes]:
        method, path = environ["REQUEST_METHOD"], environ.get("PATH_INFO", "")
        header = headers_of(environ)
        allowed = self.cross_origin.headers(method, path, header)
        short = False

        def start(status: str, headers: list[tuple[str, str]], *exc: Any) -> Any:
            nonlocal short
            named = dict(headers)
            default = 0 if status.startswith("304") else MANY_BYTES
            short = int(named.get("Content-Length", default)) < MANY_BYTES
            is_page = named.get("Content-Type", "").startswith("text/html")
            careful = [*CAREFUL, NO_SCRIPT] if is_page else list(CAREFUL)
            if "HTTP_COOKIE" in environ or KEY in environ:
                careful.append(PRIVATE)
            missing = [each for each in careful if each[0] not in named]
            ours = [*missing, (HEADER, request_id), *allowed]
            return start_response(status, [*headers, *ours], *exc)

        if preflight := self.cross_origin.preflight(method, path, header):
            return self.make_response(preflight)(environ, start)
        body = super().wsgi_app(environ, start)
        if not short:
            return body
        # A server sends a list at once. It would ask an iterator for each next piece, with a switch
        # of threads each time.
        with closing(cast(ClosingIterator, body)):
            return [b"".join(body)]
