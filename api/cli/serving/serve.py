"""serve, project, init-db: the commands that run Milepost."""

from __future__ import annotations

import logging
import os
from threading import Event

import click

from api.cli.serving.greeting import greet
from api.cli.terminal.opening import opened
from api.serving.logs import log_to_stderr
from api.serving.processes.ending import listen_to_signals
from api.serving.processes.listening import claimed, listens_on_loopback
from api.serving.processes.server import connections_of, run
from api.serving.processes.service_manager import ServiceManager
from api.serving.publishing.publisher import publishing
from api.settings.config import from_environment
from api.settings.credentials import needs_credentials, with_credentials
from api.settings.home import check_database_file, make_home
from api.settings.private_files import made_private
from api.settings.settings import Settings
from api.wiring import open_services
from domain.unseen import visible_lines

log = logging.getLogger("milepost")


@click.command()
@click.option("--host", help="The address to listen on (MILEPOST_HOST, 127.0.0.1).")
@click.option(
    "--port", type=click.IntRange(1, 65535), help="The port to listen on (MILEPOST_PORT, 8000)."
)
@click.option(
    "--workers",
    type=click.IntRange(1, 64),
    help="The number of worker processes (MILEPOST_WORKERS, 1).",
)
@click.option(
    "--no-projector", is_flag=True, help="Do not project; run `milepost project` for that."
)
@click.option("--wsgi", is_flag=True, help="Answer every request through Flask, in 32 threads.")
def serve(
    host: str | None, port: int | None, workers: int | None, no_projector: bool, wsgi: bool
) -> None:
    """Serve callbacks and reads, and keep the read model up to date."""
    configured = from_environment(host=host, port=port, workers=workers)
    if needs_credentials(configured) and not listens_on_loopback(configured):
        raise click.ClickException(
            f"refusing to listen on {configured.host} with generated credentials: set "
            "MILEPOST_CALLBACK_SECRET and MILEPOST_ADMIN_TOKEN"
        )
    connections = connections_of(configured)
    log_to_stderr(configured.log_format)
    with claimed(configured) as sockets:
        if not sockets:
            raise click.ClickException(
                f"port {configured.port} on {configured.host} is in use; choose another with --port"
            )
        check_database_file(configured)
        make_home(configured)
        _mend(configured)
        settings, made = with_credentials(configured)
        manager = ServiceManager(os.environ)
        manager.says("Preparing the database")
        services = open_services(settings)
        try:
            services.prepare()
            for warning in (*services.warnings(), *services.too_few_connections()):
                log.warning("%s", warning)
            if "checkpoint key" in made:
                made["checkpoint key"] = str(services.published()[0])
        finally:
            services.close()
        greet(settings, made)
        run(
            settings,
            sockets,
            connections=connections,
            project=not no_projector,
            wsgi=wsgi,
            manager=manager,
        )


@click.command()
def project() -> None:
    """Keep the read model up to date, without serving.

    Any number of these processes may run; one of them projects, the others wait.
    """
    stop = Event()
    listen_to_signals(lambda *_: stop.set())
    settings = from_environment()
    log_to_stderr(settings.log_format)
    with opened(settings, first=_mend) as services:
        if settings.log_format == "text":
            click.echo(f"Projecting {settings.shown_database}; Ctrl-C stops.", err=True)
        with publishing(services) as publishers:
            projector = services.projector(*publishers)

            def end(*_: object) -> None:
                stop.set()
                projector.interrupt()

            listen_to_signals(end)
            projector.run(stop)


@click.command("init-db")
@click.option("--grants", "role", metavar="ROLE", help="Print the rights that this role needs.")
@click.option("--read-only", is_flag=True, help="With --grants: rights to read, without tokens.")
def init_db(role: str | None, read_only: bool) -> None:
    """Create the missing tables, and exit.

    With --grants ROLE, print the SQL that lets another PostgreSQL role serve with these tables, or
    with --read-only look at them, verify and export.
    """
    if read_only and not role:
        raise click.UsageError("--read-only belongs to --grants")
    with opened(makes_store=True, first=_mend) as services:
        click.echo(f"{services.settings.shown_database} is ready.", err=bool(role))
        if role:
            for statement in services.schema.grants(role, only_reads=read_only):
                click.echo(statement)


def _mend(settings: Settings) -> None:
    """Close the files that an earlier release left open, and say which files and folders are."""
    for line in made_private(settings):
        if settings.log_format == "json":
            log.warning("%s", line)
        else:
            click.echo(visible_lines(line), err=True)
