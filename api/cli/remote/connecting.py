"""The server that a command asks: which one, and what to say when it does not answer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from urllib.parse import urlsplit

import click

from api.client.server import NoServer, Refused
from api.settings.checks.web_urls import is_url
from api.settings.remote import LIKE, Remote, remote_from_environment

url_option = click.option(
    "--url", help="The server (MILEPOST_URL, or http://127.0.0.1:8000 as MILEPOST_PORT says)."
)


def remote(url: str | None) -> Remote:
    """Return the server that the option or the environment names."""
    if url and not is_url(url):
        raise click.UsageError(f"--url {url!r} is not like {LIKE}")
    return remote_from_environment(url)


@contextmanager
def asking(server: Remote) -> Iterator[None]:
    """Turn what goes wrong with a server into one line."""
    try:
        yield
    except NoServer as error:
        raise click.ClickException(
            f"no Milepost answers at {server.url} ({error}); start one with `milepost serve`, or "
            "name its address with --url or MILEPOST_URL"
        ) from error
    except Refused as error:
        if error.status == HTTPStatus.UNAUTHORIZED:
            raise click.ClickException(
                f"{server.url} does not know the token in {server.source}; if your server has "
                "another address, name it with --url or MILEPOST_URL; else run this command where "
                "`milepost serve` runs, or set MILEPOST_TOKEN"
            ) from error
        raise click.ClickException(
            f"{server.url} refuses: {error}{_advice(server, error)}"
        ) from error


def _advice(server: Remote, error: Refused) -> str:
    """Return what to do about an address with a path, such as one from a browser."""
    parts = urlsplit(server.url)
    if error.status not in (
        HTTPStatus.NOT_FOUND,
        HTTPStatus.METHOD_NOT_ALLOWED,
    ) or not parts.path.strip("/"):
        return ""
    return f". If Milepost is not below {parts.path}, name {parts.scheme}://{parts.netloc}"
