"""How commands print: tables for people, JSON for programs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

import click
import msgspec
from rich import box
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from api.settings.config import from_environment
from api.settings.credentials import with_kept_checkpoint_key
from api.wiring import Services, open_services

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON, for a program.")

INTERRUPTED = 130
"""The exit status of a program that Ctrl-C ended: 128 and the signal's number."""
UNBROKEN = ("Status", "Last event", "From (UTC)")
"""Columns of few words, that make room last where a terminal is narrow."""
STYLES = {
    "pending": "dim",
    "provisioning": "cyan",
    "running": "green",
    "stopping": "yellow",
    "failed": "bold red",
}


@contextmanager
def opened(
    *, only_if_there: bool = False, only_looks: bool = False, with_key: bool = False
) -> Iterator[Services]:
    """Open the services that the environment names, and close them.

    The schema's steps are applied first. A command that `only_looks` applies none, so that an
    account that may only read can run it; it refuses a database that lacks a table. Such a command,
    and one that works `only_if_there` is a database, makes no SQLite file. With `with_key`, the
    checkpoint key that was made at the first start is filled in, if there is one.
    """
    settings = from_environment()
    if with_key:
        settings = with_kept_checkpoint_key(settings)
    if (
        (only_if_there or only_looks)
        and settings.database == "sqlite"
        and not settings.sqlite_file.exists()
    ):
        raise click.ClickException(
            f"there is no database at {settings.sqlite_file}; run this where `milepost serve` "
            "runs, or set MILEPOST_HOME or MILEPOST_DATABASE_URL"
        )
    services = open_services(settings)
    try:
        if only_looks:
            services.check()
        else:
            services.prepare()
        yield services
    finally:
        services.close()


def print_json(value: object) -> None:
    """Print one JSON document on one line."""
    click.echo(msgspec.json.encode(value, enc_hook=str).decode())


def print_table(headings: Sequence[str], rows: Iterable[Sequence[object]], empty: str) -> None:
    """Print a table; a sentence if it has no rows."""
    # Folded, not cut off: what does not fit may be what somebody looks for.
    columns = (Column(name, overflow="fold", no_wrap=name in UNBROKEN) for name in headings)
    table = Table(*columns, box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for row in rows:
        # Text, not markup: what a callback said must not style or hide anything here.
        cells = (
            cell if isinstance(cell, Text) else Text(printable(str(cell or "-"))) for cell in row
        )
        table.add_row(*cells)
    if table.row_count:
        console().print(table)
    else:
        click.echo(empty)


def printable(text: str) -> str:
    """Return the text without characters that steer a terminal."""
    return "".join(
        character if character.isprintable() or character == "\n" else "\ufffd"
        for character in text
    )


def indented(text: str, columns: int) -> str:
    """Return the text as `printable`, further lines so far in: none looks like one of ours."""
    return printable(text).replace("\n", "\n" + " " * columns)


def console() -> Console:
    """Return a console as wide as the terminal; as wide as needed where there is none."""
    found = Console(highlight=False)
    return found if found.is_terminal else Console(highlight=False, width=200)


def status_text(status: str) -> Text:
    """Return a status in its colour."""
    return Text(status, STYLES.get(status, ""))


def ago(moment: datetime | None, now: datetime) -> str:
    """Say how long ago that was, in the two largest units."""
    return f"{span(int((now - moment).total_seconds()))} ago" if moment else ""


def counted(number: int, noun: str) -> str:
    """Say how many there are of something: `1 job`, `1,000 jobs`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def span(seconds: float) -> str:
    """Say how long that is, in the two largest units."""
    whole = max(0, int(seconds))
    for size, unit, smaller, small in (
        (86400, "d", 3600, "h"),
        (3600, "h", 60, "min"),
        (60, "min", 1, "s"),
    ):
        if whole >= size:
            return f"{whole // size} {unit} {whole % size // smaller} {small}"
    return f"{max(0, round(seconds, 1)):g} s"
