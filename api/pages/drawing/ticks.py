"""The marks of the time axis: round times, far enough from one another for their words."""

from __future__ import annotations

from typing import Final, NamedTuple

from api.pages.drawing.scale import Scale

APART: Final = 16.0
"""Percent of the width between two ticks: their words fit on a screen of 360 pixels."""
DAY: Final = 86_400
UNITS: Final = (
    (1, "s", (1, 2, 5, 10, 15, 30)),
    (60, "min", (1, 2, 5, 10, 15, 30)),
    (3600, "h", (1, 2, 3, 6, 12)),
    (DAY, "d", (1, 2, 7, 14, 28, 91, 182)),
)


class Tick(NamedTuple):
    """A mark of the axis: its place in percent, and its words."""

    place: float
    words: str


def ticks(scale: Scale) -> list[Tick]:
    """Return the ticks in order, with the time since the beginning.

    After a squeezed silence, they have the time since its end, with a plus sign.
    """
    size, unit, count = _step(scale.seconds_per_percent * APART)
    found, after = [Tick(0.0, "0")], ""
    for part in scale.parts:
        if part.squeezed:
            after = "+"
            continue
        number = 1
        while number * size * count <= part.time.seconds:
            place = scale.at(part.time.since + number * size * count)
            found.append(Tick(place, f"{after}{number * count} {unit}"))
            number += 1
    return found


def _step(least: float) -> tuple[int, str, int]:
    """Return the shortest round time of at least so many seconds: unit, its name, and how many."""
    for size, unit, counts in UNITS:
        for count in counts:
            if size * count >= least:
                return size, unit, count
    years = 1
    while 365 * DAY * years < least:
        years *= 2
    return 365 * DAY, "years", years
