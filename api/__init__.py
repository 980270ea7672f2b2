"""HTTP, command line and wiring."""

from __future__ import annotations

from flask import Flask, Response

from api import callbacks, docs, health, instances, jobs, metrics, problems
from api.wiring import Services

MAX_BODY_BYTES = 64 * 1024


def create_app(services: Services) -> Flask:
    """Return the web application over these services."""
    app = Flask(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    app.extensions["milepost"] = services
    app.json.sort_keys = False  # type: ignore[attr-defined]  # of the default provider
    app.url_map.strict_slashes = False

    documented = docs.api(app)
    for blueprint in (callbacks.bp, instances.bp, jobs.bp, health.bp, metrics.bp):
        documented.register_blueprint(blueprint)
    app.register_blueprint(docs.bp)
    problems.install(app)
    app.after_request(_hardened)
    return app


def _hardened(response: Response) -> Response:
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "no-referrer"
    return response
