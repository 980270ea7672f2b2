"""The application for a WSGI server of the operator's choice, such as gunicorn."""

from __future__ import annotations

import atexit
import logging

from api.app import create_app
from api.http.flask_side.app import App
from api.serving.logs import log_to_stderr
from api.settings.config import from_environment
from api.settings.credentials import needs_credentials, with_credentials
from api.settings.home import check_database_file, make_home
from api.settings.private_files import made_private
from api.settings.variables import InvalidSetting
from api.wiring import open_services

log = logging.getLogger("milepost")


def application() -> App:
    """Return the application over the database that the environment names, and make its tables.

    It does not project: `milepost project` does, in a process beside the server. Raises
    `InvalidSetting`, and `StoreUnavailable` when the database does not answer.
    """
    configured = from_environment()
    if needs_credentials(configured):
        # `milepost serve` generates them on a loopback address; this address is unknown here.
        raise InvalidSetting(
            "set MILEPOST_CALLBACK_SECRET and MILEPOST_ADMIN_TOKEN: "
            "only `milepost serve` generates credentials"
        )
    if configured.log_format == "json":  # a server has a log of its own for text
        log_to_stderr(configured.log_format)
    check_database_file(configured)
    make_home(configured)
    for line in made_private(configured):
        log.warning("%s", line)
    settings, _ = with_credentials(configured)
    services = open_services(settings)
    atexit.register(services.close)
    services.prepare()
    for line in services.warnings():
        log.warning("%s", line)
    return create_app(services)
