"""Tables and colours, for people. Only commands that print them load the library for it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import click
from rich import box
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from domain.unseen import visible_lines

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
