"""The greeting of `milepost serve`: where it listens, and which credentials it has made."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from shlex import quote
from typing import Final

import click

from api.cli.terminal.standard_output import OutputFailed, write_no_more
from api.settings.credentials import credential_files, file_of
from api.settings.settings import Settings

log = logging.getLogger("milepost")

PUBLIC: Final = "checkpoint key"
"""The credential of which the public key is shown."""


def greet(settings: Settings, made: dict[str, str]) -> None:
    """Say where the server listens; print new credentials to a terminal only, and log none."""
    if settings.log_format == "json":
        _log(settings, made)
    else:
        try:
            _print(settings, made)
        except OutputFailed as error:
            write_no_more()
            log.warning("the greeting cannot be written: %s", error.strerror)


def _log(settings: Settings, made: dict[str, str]) -> None:
    log.info(
        "Milepost on %s, with its events in %s",
        settings.url,
        settings.shown_database,
        extra={"url": settings.url, "database": settings.shown_database},
    )
    for name, value in made.items():
        if name == PUBLIC:
            log.info("new checkpoint key, whose public part is %s", value)
        else:
            log.info("new %s, in %s", name, file_of(settings, name))


def _print(settings: Settings, made: dict[str, str]) -> None:
    url = settings.url
    click.echo(f"Milepost on {url}, with its events in {settings.shown_database}")
    click.echo(f"  Pages          {url}/jobs")
    if settings.takes_shared_secret:
        click.echo(f"  Callback URL   {url}/api/webhooks/github")
    else:
        click.echo("  Callback URLs  POST /api/jobs returns the URL and the key of each job")
    click.echo(f"  API reference  {url}/api/docs")
    if settings.generated and not made:
        click.echo(f"  Credentials    {', '.join(map(str, credential_files(settings)))}")
    if made:
        # Output that is no terminal may be a log that other accounts read.
        is_seen = sys.stdout.isatty()
        shown = "and shown once" if is_seen else "in files that only this account may read"
        click.echo(f"\nNew credentials, stored in {settings.home}, {shown}:")
        for name, value in made.items():
            is_public = name == PUBLIC
            label = "Public key" if is_public else name.capitalize()
            click.echo(f"  {label:15} {value if is_seen or is_public else file_of(settings, name)}")
    if {"callback secret", "admin token"} <= made.keys():
        click.echo("\nTry it in another terminal:\n")
        click.echo(f"    {_demo(settings)}\n")
    click.echo("Ctrl-C stops.")


def _demo(settings: Settings) -> str:
    """Return the command of the demo as it can be pasted in any folder."""
    home, program = (quote(str(path.absolute())) for path in (settings.home, Path(sys.argv[0])))
    # The brackets of an IPv6 address are a pattern of files for zsh.
    return f"MILEPOST_HOME={home} {program} demo --url {quote(settings.url)}"
