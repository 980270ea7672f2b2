"""The time axis of a timeline: the lines behind its rows, and the words below them."""

from __future__ import annotations

from typing import Final

from markupsafe import Markup

from api.elements import element, percent
from api.pages.drawing.bars import track
from api.pages.drawing.scale import Scale
from api.pages.drawing.story import Story
from api.pages.drawing.ticks import ticks
from api.pages.drawing.words import clock, moment, short
from projections.views.durations import span

LINE: Final = 14
"""The height of a line of words, in pixels."""
EDGE: Final = 6.0
"""Percent of the width: words nearer to an edge begin or end there."""
ROOM_FOR_WORDS: Final = 9.0


def grid(scale: Scale) -> Markup:
    """Return the lines of the axis behind all rows, with the pattern that bars are hatched with."""
    line = element("path", d="M-1 5 L5 -1 M-1 9 L9 -1 M3 9 L9 3")
    hatch = element(
        "pattern", line, id="timeline-hatch", width=8, height=8, patternUnits="userSpaceOnUse"
    )
    lines = [
        element("line", x1=percent(tick.place), x2=percent(tick.place), y1=0, y2="100%")
        for tick in ticks(scale)
    ]
    bands = [
        element(
            "rect",
            element("title", f"not to scale: {span(part.time.seconds)}"),
            x=percent(part.left),
            y=0,
            width=percent(part.right - part.left),
            height="100%",
        )
        for part in scale.breaks
    ]
    return element("svg", element("defs", hatch), *lines, *bands, class_="timeline-grid")


def axis_track(scale: Scale) -> Markup:
    """Return the words of the ticks and, above them, how long the squeezed silences were."""
    parts = [
        _written(short(part.time), (part.left + part.right) / 2, LINE, "timeline-break")
        for part in scale.breaks
        if part.right - part.left >= ROOM_FOR_WORDS
    ]
    below = LINE if parts else 0
    parts += [
        _written(tick.words, tick.place, LINE + below, "timeline-tick") for tick in ticks(scale)
    ]
    return track(LINE + below + 4, *parts)


def ends(story: Story) -> Markup:
    """Return when the drawing begins and ends."""
    begins, until = (clock(moment(story.begins, each)) for each in (0.0, story.until))
    until = f"now, {until}" if story.live else until
    return element("div", element("span", begins), element("span", until), class_="timeline-ends")


def _written(words: str, place: float, line: int, kind: str) -> Markup:
    anchor = "start" if place < EDGE else "end" if place > 100 - EDGE else "middle"
    return element("text", words, x=percent(place), y=line, text_anchor=anchor, class_=kind)
