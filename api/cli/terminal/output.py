"""Output of commands: tables for people, JSON for programs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

import click
import msgspec
from rich import box
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from api.settings.config import from_environment
from api.settings.credentials import with_stored_checkpoint_key
from api.settings.home import check_database_file
from api.settings.settings import Settings
from api.wiring import Services, open_services
from domain.log.store import translated
from domain.unseen import escaped_json, visible_lines
from projections.views.durations import span

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON, for a program.")

INTERRUPTED = 130
"""The exit status of a program that Ctrl-C ended: 128 and the signal's number."""
NARROW = 60
"""In fewer columns, a table of several columns folds its texts to a few letters a line."""
UNBROKEN = ("Status", "Last event", "From (UTC)")
"""Columns that a narrow terminal shortens last, because their texts are short."""
STYLES = {
    "pending": "dim",
    "provisioning": "cyan",
    "running": "green",
    "stopping": "yellow",
    "stopped": "dim",
    "cancelled": "magenta",
    "failed": "bold red",
}


@contextmanager
def opened(
    settings: Settings | None = None,
    *,
    makes_store: bool = False,
    only_looks: bool = False,
    with_key: bool = False,
    first: Callable[[Settings], object] = lambda _: None,
) -> Iterator[Services]:
    """Open the services that the settings name, or else the environment, and close them.

    A database without any table of Milepost is an error, unless the command `makes_store`: in the
    wrong folder, or with the wrong URL, a command must not begin a second store. The missing schema
    steps are applied first, unless the command `only_looks`: then an account that may only read can
    run the command, and a database that lacks a table raises `SchemaBehind`. With `with_key`, the
    settings get the checkpoint key of the first start, if that key exists. Before the first
    connection, `first` is called with the settings: it may open the database's files.
    """
    settings = settings or from_environment()
    if with_key:
        settings = with_stored_checkpoint_key(settings)
    check_database_file(settings, only_looks=only_looks)
    if not makes_store and settings.database == "sqlite" and not settings.sqlite_file.exists():
        raise _no_store(f"there is no database at {settings.sqlite_file.absolute()}")
    services = open_services(settings.of_parent(), only_looks=only_looks)
    try:
        first(settings)
        if only_looks:
            services.check()
        elif makes_store or services.has_store():
            services.prepare()
        else:
            raise _no_store(f"{settings.shown_database} has no tables of Milepost")
        with translated():
            yield services
    finally:
        services.close()


def _no_store(fault: str) -> click.ClickException:
    return click.ClickException(
        f"{fault}; run this command where `milepost serve` runs, or set MILEPOST_HOME or "
        "MILEPOST_DATABASE_URL"
    )


def print_json(value: object) -> None:
    """Print one JSON document on one line. A terminal that shows it obeys no character of it."""
    click.echo(escaped_json(msgspec.json.encode(value, enc_hook=str).decode()))


def print_table(
    headings: Sequence[str],
    rows: Iterable[Sequence[object]],
    empty: str,
    *,
    cut: str | None = None,
) -> None:
    """Print a table, or the text `empty` if there are no rows.

    The column `cut` gets the width that the others leave, and one line a row: its texts may be
    long, and the reader finds them whole elsewhere. A terminal with fewer than `NARROW` columns,
    into which the rows do not fit, gets a block of lines for each.
    """
    # Cells are text, not markup: a sender's text must not style or hide a part of the table.
    cells = [
        [cell if isinstance(cell, Text) else Text(visible_lines(str(cell or "-"))) for cell in row]
        for row in rows
    ]
    out = console()
    if not cells:
        click.echo(empty)
    elif out.width < NARROW and _width_of(headings, cells, cut) > out.width:
        _print_blocks(headings, cells, out)
    else:
        out.print(_table(headings, cells, cut))


def _table(headings: Sequence[str], rows: Sequence[Sequence[Text]], cut: str | None) -> Table:
    # Other cells are folded, not cut off: a reader may look for the part that does not fit.
    columns = (
        Column(name, overflow="ellipsis", no_wrap=True, ratio=1)
        if name == cut
        else Column(name, overflow="fold", no_wrap=name in UNBROKEN)
        for name in headings
    )
    table = Table(
        *columns, box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, expand=bool(cut)
    )
    for row in rows:
        table.add_row(*row)
    return table


def _width_of(headings: Sequence[str], rows: Sequence[Sequence[Text]], cut: str | None) -> int:
    """Return how many columns a table needs that folds nothing, with a space after each cell."""
    widths = (
        max(len(name), *(0 if name == cut else row[number].cell_len for row in rows)) + 1
        for number, name in enumerate(headings)
    )
    return sum(widths)


def _print_blocks(headings: Sequence[str], rows: Sequence[Sequence[Text]], out: Console) -> None:
    """Print the cells of each row below each other, and leave out cells that are a dash."""
    widest = max(map(len, headings))
    for row in rows:
        for name, cell in zip(headings, row, strict=True):
            if cell.plain != "-":
                out.print(Text(f"{name:{widest}}  ", "bold") + cell, overflow="fold")
        out.print()


def on_one_line(text: str | None) -> str | None:
    """Return the text with each run of spaces and line breaks as one space."""
    return " ".join(text.split()) if text else text


def indented(text: str, columns: int) -> str:
    """Return visible text with its further lines indented, unlike any line of Milepost."""
    return visible_lines(text).replace("\n", "\n" + " " * columns)


class _Output(Console):
    """A console that leaves it to the command what a closed pipe means."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


def console() -> Console:
    """Return a console with the terminal's width, or with 200 columns without a terminal."""
    terminal = _Output(highlight=False)
    return terminal if terminal.is_terminal else _Output(highlight=False, width=200)


def status_text(status: str, outcome: str | None = None) -> Text:
    """Return a status in its colour; `cancelled` for a failure with that outcome."""
    shown = "cancelled" if outcome == "cancelled" else status
    return Text(shown, STYLES.get(shown, ""))


def ago(time: datetime | None, now: datetime) -> str:
    """Return how long before now the time was, in its two largest units."""
    return f"{span(int((now - time).total_seconds()))} ago" if time else ""


def counted(number: int, noun: str) -> str:
    """Return a number with its noun: `1 job`, `1,000 jobs`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
