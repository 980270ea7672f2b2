"""The scale of a timeline: which second is where, with long silences squeezed.

Between squeezed silences, every second is equally wide. A squeezed silence is narrower than that,
but time still runs from left to right in it, so the order of what happened stays.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import accumulate, pairwise
from typing import Final, NamedTuple

SHORTEST: Final = 1.0
"""A drawing has at least this many seconds, so that it can show what just began."""
BREAK: Final = 0.14
"""The share of the width that a squeezed silence has, as long as all of them have room."""
BREAKS: Final = 0.49
"""The largest share of the width that all squeezed silences have together."""
WORTHWHILE: Final = 6.0
"""Squeeze only what would be this many times as wide: each mark costs the reader a thought."""
MOST_BREAKS: Final = 40
ROUNDING: Final = 1e-12
"""Less than this share of a time may be what rounding left of nothing."""


class Interval(NamedTuple):
    """A time, in seconds since the drawing's beginning."""

    since: float
    until: float

    @property
    def seconds(self) -> float:
        """How long it was."""
        return self.until - self.since


class Part(NamedTuple):
    """A part of the drawing, between two breaks or a break itself; x is in percent."""

    time: Interval
    left: float
    right: float
    squeezed: bool


class Scale:
    """Seconds since the beginning, as percent of the width.

    `loud` are the times in which something was heard of the job, in any order; they may overlap.
    """

    def __init__(self, until: float, loud: Iterable[Interval]) -> None:
        self.until = max(until, SHORTEST)
        squeezed = _squeezed(silences(self.until, loud), self.until)
        self.parts = _parts(self.until, squeezed)
        self._starts = [part.time.since for part in self.parts]

    def at(self, second: float) -> float:
        """Return the place of a second, from 0 to 100, as exact as it is written.

        What is outside of the drawing is at its edge.
        """
        part = self.parts[max(0, bisect_right(self._starts, second) - 1)]
        share = (second - part.time.since) / part.time.seconds
        place = part.left + share * (part.right - part.left)
        return round(min(part.right, max(part.left, place)), 3)

    @property
    def breaks(self) -> list[Part]:
        """The squeezed silences."""
        return [part for part in self.parts if part.squeezed]

    @property
    def seconds_per_percent(self) -> float:
        """How much time a percent of the width is, outside of squeezed silences."""
        part = max((each for each in self.parts if not each.squeezed), key=_width)
        return part.time.seconds / _width(part)


def silences(until: float, loud: Iterable[Interval]) -> list[Interval]:
    """Return the times of a drawing in which nothing was heard, in order."""
    found, heard = [], 0.0
    for each in sorted(each for each in loud if each.seconds > 0):
        if each.since > heard:
            found.append(Interval(heard, min(each.since, until)))
        heard = max(heard, each.until)
        if heard >= until:
            break
    else:
        found.append(Interval(heard, until))
    return [each for each in found if each.seconds > 0]


def _squeezed(quiet: Sequence[Interval], until: float) -> dict[Interval, float]:
    """Return which silences to squeeze, and how many seconds wide each of them is drawn."""
    longest = sorted(quiet, key=lambda each: each.seconds, reverse=True)[:MOST_BREAKS]
    best: dict[Interval, float] = {}
    for count, gone in enumerate(accumulate(each.seconds for each in longest), start=1):
        rest = until - gone
        share = min(BREAK * count, BREAKS)
        width = rest * share / (1 - share) / count
        if rest > until * ROUNDING and longest[count - 1].seconds > WORTHWHILE * width:
            best = dict.fromkeys(longest[:count], width)
    return best


def _parts(until: float, squeezed: dict[Interval, float]) -> list[Part]:
    edges = sorted({0.0, until, *(edge for each in squeezed for edge in each)})
    times = [Interval(*pair) for pair in pairwise(edges)]
    widths = [squeezed.get(time, time.seconds) for time in times]
    whole = sum(widths)
    ends = [min(100.0, 100 * end / whole) for end in accumulate(widths)]
    ends[-1] = 100.0
    return [
        Part(time, left, right, time in squeezed)
        for time, left, right in zip(times, [0.0, *ends[:-1]], ends, strict=True)
    ]


def _width(part: Part) -> float:
    return part.right - part.left
