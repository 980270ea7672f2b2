"""HTTP, command line and wiring."""

from __future__ import annotations

from api.http import problems
from api.http.bodies import MAX_BODY_BYTES
from api.http.flask_app import App
from api.http.paths import IdConverter
from api.pages import audit as pages
from api.routes import (
    callbacks,
    checkpoints,
    health,
    instances,
    jobs,
    metrics,
)
from api.routes import (
    events as history,
)
from api.routes import (
    reference as docs,
)
from api.wiring import Services


def create_app(services: Services) -> App:
    """Return the web application over these services."""
    app = App(__name__)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    app.extensions["milepost"] = services
    app.json.sort_keys = False  # type: ignore[attr-defined]  # of the default provider
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False  # an id may begin with one
    app.url_map.converters["id"] = IdConverter

    documented = docs.api(app)
    for blueprint in (
        callbacks.bp,
        instances.bp,
        jobs.bp,
        history.bp,
        checkpoints.bp,
        health.bp,
        metrics.bp,
    ):
        documented.register_blueprint(blueprint)
    app.register_blueprint(docs.bp)
    app.register_blueprint(pages.bp)
    problems.install(app)
    return app
