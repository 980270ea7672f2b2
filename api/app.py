"""The web application: every blueprint, registered with one Flask application."""

from __future__ import annotations

from api.http.bodies import MAX_BODY_BYTES
from api.http.callers.proxies import Proxies
from api.http.cross_origin import CrossOrigin
from api.http.flask_side.app import App
from api.http.flask_side.paths import IdConverter
from api.pages import agent, embed, errors, job, orders, sign_in
from api.pages import jobs as jobs_page
from api.pages import reference as reference_page
from api.pages.visitor import csrf
from api.pages.words import FILTERS, here
from api.routes import badges, checkpoints, events, instances, links, streams
from api.routes.callbacks import routes as callbacks
from api.routes.jobs import operations
from api.routes.jobs import routes as jobs
from api.routes.server import health, metrics, reference, reporter
from api.wiring import Services


def create_app(services: Services) -> App:
    """Return the web application over these services."""
    settings = services.settings
    proxies = Proxies(settings.trusted_proxies, settings.path_prefix)
    app = App(__name__, proxies, CrossOrigin(settings.cors_origins))
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    app.extensions["milepost"] = services
    app.json.sort_keys = False  # type: ignore[attr-defined]  # the default provider has it
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False  # an id may begin with a slash
    app.url_map.converters["id"] = IdConverter

    documented = reference.api(app)
    for blueprint in (
        callbacks.bp,
        instances.bp,
        jobs.bp,
        streams.bp,
        operations.bp,
        links.bp,
        badges.bp,
        events.bp,
        checkpoints.bp,
        health.bp,
        metrics.bp,
    ):
        documented.register_blueprint(blueprint)
    app.register_blueprint(reference.bp)
    app.register_blueprint(reporter.bp)
    app.register_blueprint(streams.embedded)
    app.jinja_env.filters.update(FILTERS)
    app.jinja_env.globals.update(here=here, csrf=csrf)
    pages = (jobs_page.bp, job.bp, orders.bp, agent.bp, embed.bp, sign_in.bp, reference_page.bp)
    for page in pages:
        app.register_blueprint(page)
    errors.install(app)
    return app
