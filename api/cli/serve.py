"""serve, project, init-db: the commands that run Milepost."""

from __future__ import annotations

import shlex
import signal
import sys
from threading import Event

import click

from api.cli.terminal.output import opened
from api.serving.listening import claimed
from api.serving.logs import log_to_stderr
from api.serving.server import connections_of, run
from api.settings.config import from_environment
from api.settings.credentials import (
    credential_files,
    file_of,
    needs_credentials,
    with_credentials,
)
from api.settings.home import make_home
from api.settings.private_files import made_private
from api.settings.settings import Settings
from api.wiring import open_services
from domain.unseen import visible_lines

TRY_IT = """\
    BODY='{{"job_id": "demo", "status": "provisioning", "step": "vm_created"}}'
    SIGNATURE=$(printf %s "$BODY" | openssl dgst -sha256 -hmac "$(cat {home}/callback-secret)")
    curl -sS {url}/api/webhooks/github -H "X-Signature: ${{SIGNATURE##* }}" -d "$BODY"
    curl -sS {url}/api/jobs/demo -H "Authorization: Bearer $(cat {home}/admin-token)"
"""


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
    if needs_credentials(configured) and not configured.listens_on_loopback:
        raise click.ClickException(
            f"refusing to listen on {configured.host} with generated credentials: set "
            "MILEPOST_CALLBACK_SECRET and MILEPOST_ADMIN_TOKEN"
        )
    connections = connections_of(configured)
    with claimed(configured) as sockets:
        if not sockets:
            raise click.ClickException(
                f"port {configured.port} on {configured.host} is in use; choose another with --port"
            )
        make_home(configured)
        _mend(configured)
        settings, made = with_credentials(configured)
        services = open_services(settings)
        try:
            services.prepare()
            if warning := services.too_few_connections():
                click.echo(f"Warning: {warning}", err=True)
            if "checkpoint key" in made:
                made["checkpoint key"] = str(services.published()[0])
        finally:
            services.close()
        _greet(settings, made)
        run(settings, sockets, connections=connections, project=not no_projector, wsgi=wsgi)


@click.command()
def project() -> None:
    """Keep the read model up to date, without serving.

    Any number of these processes may run; one of them projects, the others wait.
    """
    stop = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    log_to_stderr()
    with opened() as services:
        _mend(services.settings)
        click.echo(f"Projecting {services.settings.shown_database}; Ctrl-C stops.", err=True)
        services.projector().run(stop)


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
    with opened() as services:
        _mend(services.settings)
        click.echo(f"{services.settings.shown_database} is ready.", err=bool(role))
        if role:
            for statement in services.schema.grants(role, only_reads=read_only):
                click.echo(statement)


def _mend(settings: Settings) -> None:
    """Close the files that an earlier release left open, and say which files and folders are."""
    for line in made_private(settings):
        click.echo(visible_lines(line), err=True)


def _greet(settings: Settings, made: dict[str, str]) -> None:
    url = f"http://{_in_url(settings.host)}:{settings.port}"
    click.echo(f"Milepost on {url}, with its events in {settings.shown_database}")
    if settings.takes_shared_secret:
        click.echo(f"  Callback URL   {url}/api/webhooks/github")
    else:
        click.echo("  Callback URLs  POST /api/jobs returns the URL and the key of each job")
    click.echo(f"  API reference  {url}/api/docs")
    click.echo(f"  Audit page     {url}/audit")
    if settings.generated and not made:
        click.echo(f"  Credentials    {', '.join(map(str, credential_files(settings)))}")
    if made:
        # Output that is no terminal may be a log that other accounts read.
        is_seen = sys.stdout.isatty()
        shown = "shown only this once" if is_seen else "in files that only this account may read"
        click.echo(f"\nNew credentials, stored in {settings.home}, {shown}:")
        for name, value in made.items():
            is_public = name == "checkpoint key"
            label = "Public key" if is_public else name.capitalize()
            click.echo(f"  {label:15} {value if is_seen or is_public else file_of(settings, name)}")
    if {"callback secret", "admin token"} <= made.keys():
        click.echo("\nTry it in another terminal:\n")
        click.echo(TRY_IT.format(url=url, home=shlex.quote(str(settings.home.resolve()))))
    click.echo("Ctrl-C stops.")


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host
