"""Figures: ratios of alternating pairs, and the table of all claims."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from typing import Final, NamedTuple

from rich.console import Console
from rich.table import Table


class Line(NamedTuple):
    """A claim with its figure, which must be at least `wanted`, or at most with `at_most`."""

    claim: str
    figure: float
    wanted: float
    unit: str = "×"
    at_most: bool = False
    detail: str = ""

    @property
    def holds(self) -> bool:
        """Tell whether the claim holds."""
        return self.figure <= self.wanted if self.at_most else self.figure >= self.wanted


class Pair(NamedTuple):
    """The medians of two contenders, and the median of the ratios of their pairs."""

    ours: float
    theirs: float
    ratio: float


TRIES: Final = 3
"""How many times as many pairs as wanted are measured at most, if in some nothing happened."""


class NothingMeasured(Exception):
    """In no measurement did both contenders do anything."""


def alternate(ours: Callable[[], float], theirs: Callable[[], float], pairs: int) -> Pair:
    """Measure both alternately, so that other load on the machine affects both."""
    measured: list[tuple[float, float]] = []
    for number in range(pairs * TRIES):
        # The first one of a pair alternates, too.
        if number % 2:
            theirs_now, ours_now = theirs(), ours()
        else:
            ours_now, theirs_now = ours(), theirs()
        # On a machine that is busy with other work, a short measurement may see nothing happen.
        if ours_now and theirs_now:
            measured.append((ours_now, theirs_now))
        if len(measured) == pairs:
            break
    if not measured:
        raise NothingMeasured("nothing happened in any measurement: the machine is too busy")
    return Pair(
        median(ours_now for ours_now, _ in measured),
        median(theirs_now for _, theirs_now in measured),
        median(ours_now / theirs_now for ours_now, theirs_now in measured),
    )


def show(lines: list[Line], console: Console) -> None:
    """Print the lines as a table."""
    table = Table(title="Milepost, measured", title_justify="left")
    table.add_column("measure")
    table.add_column("figure", justify="right")
    table.add_column("wanted", justify="right")
    table.add_column("")
    table.add_column("made of")
    for line in lines:
        sign = "≤" if line.at_most else "≥"
        table.add_row(
            line.claim,
            f"{line.figure:.3g} {line.unit}",
            f"{sign} {line.wanted:g}",
            "[green]holds[/]" if line.holds else "[red]missed[/]",
            line.detail,
        )
    console.print(table)
