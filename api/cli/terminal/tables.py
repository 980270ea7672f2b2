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
LEAST_CUT = 24
"""With fewer columns for it, a text that may be cut has a line of its own below its row."""
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
    spare: Sequence[str] = (),
) -> None:
    """Print a table, or the text `empty` if there are no rows.

    The column `cut` gets the width that the others leave, and one line a row: its texts may be
    long, and the reader finds them whole elsewhere. If the others leave too little, its texts have
    lines of their own, and the `spare` columns are left out as far as needed. A terminal with fewer
    than `NARROW` columns, into which the rows do not fit, gets a block of lines for each.
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
    elif cut and _width_of(headings, cells, cut) + LEAST_CUT > out.width:
        _print_stacked(headings, cells, cut, spare, out)
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


def _print_stacked(
    headings: Sequence[str],
    rows: Sequence[Sequence[Text]],
    cut: str,
    spare: Sequence[str],
    out: Console,
) -> None:
    """Print each row on a line, and the cell that may be cut on a line of its own below it."""
    titles = [Text(name, "bold") for name in headings]
    shown = _fitting(headings, [titles, *rows], cut, spare, out.width)
    if shown is None:
        _print_blocks(headings, rows, out)
        return
    widths = [max(row[place].cell_len for row in (titles, *rows)) for place in shown]
    for row in (titles, *rows):
        cells = zip(shown, widths, strict=True)
        line = Text(" ").join(
            row[place] + " " * (width - row[place].cell_len) for place, width in cells
        )
        line.rstrip()
        out.print(line, no_wrap=True)
        below = row[headings.index(cut)]
        if row is not titles and below.plain != "-":
            out.print(Text("  ") + below, no_wrap=True, overflow="ellipsis")
    if left_out := [name for name in spare if headings.index(name) not in shown]:
        click.echo(f"A wider terminal shows {' and '.join(left_out)}, too.")


def _fitting(
    headings: Sequence[str],
    rows: Sequence[Sequence[Text]],
    cut: str,
    spare: Sequence[str],
    width: int,
) -> list[int] | None:
    """Return the places of the columns beside `cut` that fit; None if the others do not, either."""
    for left_out in range(len(spare) + 1):
        without = {cut, *spare[:left_out]}
        shown = [place for place, name in enumerate(headings) if name not in without]
        if sum(max(row[place].cell_len for row in rows) + 1 for place in shown) <= width + 1:
            return shown
    return None


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
