"""The bars of a timeline: an attempt's phases and silences, and its steps."""

from __future__ import annotations

from typing import Final

from markupsafe import Markup

from api.elements import element, percent
from api.pages.drawing.lanes import End, Lane, Step
from api.pages.drawing.scale import Interval, Scale
from projections.views.durations import span

LANE: Final = 22
"""The height of an attempt's bar with its margins, in pixels."""
STEP: Final = 14
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
FILLS: Final = {"starting": "url(#timeline-hatch)"}
"""A pattern in place of a colour; the grid has it."""


def attempt_track(lane: Lane, scale: Scale) -> Markup:
    """Return the bars of an attempt."""
    parts = []
    for kind in ("waiting", "starting", "working"):
        phase: Interval | None = getattr(lane, kind)
        if phase:
            parts.append(_bar(phase, scale, 4, LANE - 8, kind))
    parts += [_silence(gap, scale) for gap in lane.drawn_gaps]
    parts.append(_mark(lane.end, scale.at(lane.whole.until), LANE / 2))
    return track(LANE, *parts)


def step_track(step: Step, scale: Scale) -> Markup:
    """Return the bar of a step, or the sign of a late one."""
    if step.late:
        middle = STEP / 2
        shape = element("path", d="M0 -5 L5 0 L0 5 L-5 0 Z", class_="timeline-late")
        return track(STEP, _placed(scale.at(step.time.since), middle, shape))
    return track(STEP, _bar(step.time, scale, 3, STEP - 6, f"step is-{step.end or 'over'}"))


def track(height: int, *parts: Markup) -> Markup:
    """Return a picture as wide as its place."""
    return element("svg", *parts, class_="timeline-track", width="100%", height=height)


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
