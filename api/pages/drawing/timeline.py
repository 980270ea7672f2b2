"""A job's timeline as a drawing to scale: attempts, their phases, steps and silences.

Names are text beside the bars, so they stay legible on a small screen; the bars are SVG, with
places in percent of the width.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from markupsafe import Markup

from api.elements import element, percent, quoted
from api.pages.drawing.lanes import Answer, End, Lane, Step, Story, story
from api.pages.drawing.scale import Interval, Scale
from api.pages.drawing.table import table
from api.pages.drawing.ticks import ticks
from api.pages.drawing.words import (
    MOST_NAME,
    clock,
    left_out,
    moment,
    sentences,
    short,
    state,
    step_name,
    totals,
)
from projections.views.durations import span

LANE: Final = 22
"""The height of an attempt's bar with its margins, in pixels."""
STEP: Final = 14
LINE: Final = 14
"""The height of a line of words at the axis."""
MARKS: Final[dict[End, str]] = {
    "running": "M-3.5 0.5 L-1 3 L3.5 -2.5",
    "stopped": "M-2.5 -2.5 H2.5 V2.5 H-2.5 Z",
    "failed": "M-3 -3 L3 3 M3 -3 L-3 3",
    "cancelled": "M-3.5 0 H3.5",
    "timed_out": "M0 -4 V0.5 L3 2.5",
    "superseded": "M-3 -3 L0 0 L-3 3 M1 -3 L4 0 L1 3",
    "open": "M-2 -3.5 L2.5 0 L-2 3.5",
}
"""The shape at the end of an attempt, around its middle."""
MEANINGS: Final = {
    "waiting": "waiting for the workflow",
    "starting": "starting, before the first step",
    "working": "working",
    "silent": "silent",
    "between": "between attempts",
    "squeezed": "not to scale",
}
FILLS: Final = {"starting": "url(#timeline-hatch)"}
EDGE: Final = 6.0
"""Percent of the width: words nearer to an edge begin or end there."""
ROOM_FOR_WORDS: Final = 9.0


def drawn(timeline: Answer, now: datetime) -> Markup:
    """Return the figure of a timeline, as `timeline_body` makes it, at a time."""
    told = story(timeline, now)
    scale = Scale(told.until, [time for lane in told.lanes for time in _loud(lane)])
    rows = Markup("").join(row for lane in told.lanes for row in _rows(lane, scale))
    chart = element(
        "div",
        _grid(scale),
        rows,
        _axis(scale),
        class_="timeline-chart",
        role="img",
        aria_label="Timeline to scale",
        aria_describedby="timeline-story",
    )
    missing = left_out(told)
    return element(
        "figure",
        element("figcaption", Markup(" ").join(sentences(told)), id="timeline-story"),
        _key(told, scale),
        chart,
        _ends(told),
        element("p", missing, class_="timeline-left-out") if missing else "",
        table(told),
        class_="timeline",
    )


def _loud(lane: Lane) -> Iterator[Interval]:
    """Yield the times in which something was heard of the attempt, in order."""
    if lane.heard is None:
        return
    since = lane.heard.since
    for gap in lane.gaps:
        if since < gap.since:
            yield Interval(since, gap.since)
        since = max(since, gap.until)
    yield Interval(since, lane.heard.until)


def _rows(lane: Lane, scale: Scale) -> Iterator[Markup]:
    took = span(lane.whole.seconds)
    run = element("small", "run ", quoted(lane.run, MOST_NAME)) if lane.run else ""
    name = element("span", element("b", f"Attempt {lane.number}"), " ", state(lane), " ", run)
    yield _row(name, _attempt(lane, scale), took, f"timeline-attempt is-{lane.end}")
    for step in lane.steps:
        own = element("small", quoted(step.name, MOST_NAME)) if step.label else ""
        name = element("span", step_name(step), " ", own)
        took = "late" if step.late else span(step.time.seconds)
        yield _row(name, _step(step, scale), took, "timeline-step")


def _row(name: Markup, track: Markup, took: str, kind: str) -> Markup:
    return element(
        "div",
        element("span", name, class_="timeline-name"),
        track,
        element("span", took, class_="timeline-took"),
        class_=f"timeline-row {kind}",
    )


def _attempt(lane: Lane, scale: Scale) -> Markup:
    parts = []
    for kind in ("waiting", "starting", "working"):
        phase: Interval | None = getattr(lane, kind)
        if phase:
            parts.append(_bar(phase, scale, 4, LANE - 8, kind))
    parts += [_silence(gap, scale) for gap in lane.drawn_gaps]
    parts.append(_mark(lane.end, scale.at(lane.whole.until), LANE / 2))
    return _track(LANE, *parts)


def _step(step: Step, scale: Scale) -> Markup:
    if step.late:
        middle = STEP / 2
        shape = element("path", d="M0 -5 L5 0 L0 5 L-5 0 Z", class_="timeline-late")
        return _track(STEP, _placed(scale.at(step.time.since), middle, shape))
    return _track(STEP, _bar(step.time, scale, 3, STEP - 6, f"step is-{step.end or 'over'}"))


def _bar(time: Interval, scale: Scale, top: int, height: int, kind: str) -> Markup:
    left, right = scale.at(time.since), scale.at(time.until)
    return element(
        "g",
        element("title", f"{kind.split()[0]}: {span(time.seconds)}"),
        element(
            "rect",
            x=percent(left),
            y=top,
            width=percent(right - left),
            height=height,
            fill=FILLS.get(kind),
        ),
        # A bar of no width has at least its beginning.
        element("line", x1=percent(left), x2=percent(left), y1=top, y2=top + height),
        class_=f"timeline-{kind}",
    )


def _silence(gap: Interval, scale: Scale) -> Markup:
    left, right = percent(scale.at(gap.since)), percent(scale.at(gap.until))
    width = percent(scale.at(gap.until) - scale.at(gap.since))
    return element(
        "g",
        element("title", f"silent: {span(gap.seconds)}"),
        element("rect", x=left, y=4, width=width, height=LANE - 8),
        element("line", x1=left, x2=right, y1=LANE / 2, y2=LANE / 2),
        class_="timeline-silent",
    )


def _mark(end: End, place: float, middle: float) -> Markup:
    shape = element("circle", r=7) + element("path", d=MARKS[end])
    return _placed(place, middle, shape, f"timeline-mark is-{end}")


def _placed(place: float, middle: float, shape: Markup, kind: str | None = None) -> Markup:
    moved = element("g", shape, transform=f"translate(0 {middle:g})", class_=kind)
    return element("svg", moved, x=percent(place), overflow="visible")


def _track(height: int, *parts: Markup) -> Markup:
    return element("svg", *parts, class_="timeline-track", width="100%", height=height)


def _grid(scale: Scale) -> Markup:
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


def _axis(scale: Scale) -> Markup:
    parts = [
        _written(short(part.time), (part.left + part.right) / 2, LINE, "timeline-break")
        for part in scale.breaks
        if part.right - part.left >= ROOM_FOR_WORDS
    ]
    below = LINE if parts else 0
    parts += [
        _written(tick.words, tick.place, LINE + below, "timeline-tick") for tick in ticks(scale)
    ]
    return _row(Markup(""), _track(LINE + below + 4, *parts), "", "timeline-axis")


def _written(words: str, place: float, line: int, kind: str) -> Markup:
    anchor = "start" if place < EDGE else "end" if place > 100 - EDGE else "middle"
    return element("text", words, x=percent(place), y=line, text_anchor=anchor, class_=kind)


def _ends(told: Story) -> Markup:
    begins, ends = (clock(moment(told.begins, each)) for each in (0.0, told.until))
    until = f"now, {ends}" if told.live else ends
    return element("div", element("span", begins), element("span", until), class_="timeline-ends")


def _key(told: Story, scale: Scale) -> Markup:
    """Return what each colour means, and how much time all attempts spent so."""
    times = totals(told)
    if squeezed := sum(part.time.seconds for part in scale.breaks):
        times.append(("squeezed", squeezed))
    items = [
        element("li", _sample(kind), f" {MEANINGS[kind]} ", element("b", span(seconds)))
        for kind, seconds in times
    ]
    return element("ul", *items, class_="timeline-key") if items else Markup("")


def _sample(kind: str) -> Markup:
    rect = element("rect", x=1, y=2, width=20, height=10, fill=FILLS.get(kind))
    line = element("line", x1=1, x2=21, y1=7, y2=7) if kind in ("silent", "between") else ""
    shape = element("g", rect, line, class_=f"timeline-{kind}")
    return element("svg", shape, width=22, height=14, aria_hidden="true")
