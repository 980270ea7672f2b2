"""HTTP, command line and wiring."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final, cast

from flask import Flask
from werkzeug.wsgi import ClosingIterator

from api import callbacks, docs, health, instances, jobs, metrics, problems
from api.bodies import MAX_BODY_BYTES
from api.paths import IdConverter
from api.wiring import Services

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

MANY_BYTES: Final = 1 << 16
CAREFUL: Final = (("X-Content-Type-Options", "nosniff"), ("Referrer-Policy", "no-referrer"))


class App(Flask):
    """Flask, except that all answers make browsers careful and short ones go in one piece."""

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
        # A list is sent at once; of anything else the server asks for the next piece, and each
        # time threads change places.
        with closing(cast(ClosingIterator, body)):
            return [b"".join(body)]


def create_app(services: Services) -> Flask:
    """Return the web application over these services."""
    app = App(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    app.extensions["milepost"] = services
    app.json.sort_keys = False  # type: ignore[attr-defined]  # of the default provider
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False  # an id may begin with one
    app.url_map.converters["id"] = IdConverter

    documented = docs.api(app)
    for blueprint in (callbacks.bp, instances.bp, jobs.bp, health.bp, metrics.bp):
        documented.register_blueprint(blueprint)
    app.register_blueprint(docs.bp)
    problems.install(app)
    return app
