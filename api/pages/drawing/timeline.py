"""A job's timeline as a drawing to scale: attempts, their phases, steps and silences.

Names are text beside the bars, so they stay legible on a small screen; the bars are SVG, with
places in percent of the width.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from markupsafe import Markup

from api.elements import element, quoted
from api.pages.drawing.axis import axis_track, ends, grid
from api.pages.drawing.bars import attempt_track, step_track
from api.pages.drawing.key import key
from api.pages.drawing.lanes import Answer, Lane
from api.pages.drawing.scale import Interval, Scale
from api.pages.drawing.story import story_of
from api.pages.drawing.table import table
from api.pages.drawing.words import MOST_NAME, left_out, sentences, state, step_name
from projections.views.durations import span


def drawn(timeline: Answer, now: datetime) -> Markup:
    """Return the figure of a timeline, as `timeline_body` makes it, at a time."""
    story = story_of(timeline, now)
    scale = Scale(story.until, [time for lane in story.lanes for time in _loud(lane)])
    rows = Markup("").join(row for lane in story.lanes for row in _rows(lane, scale))
    chart = element(
        "div",
        grid(scale),
        rows,
        _row(Markup(""), axis_track(scale), "", "timeline-axis"),
        class_="timeline-chart",
        role="img",
        aria_label="Timeline to scale",
        aria_describedby="timeline-story",
    )
    missing = left_out(story)
    return element(
        "figure",
        element("figcaption", Markup(" ").join(sentences(story)), id="timeline-story"),
        key(story, scale),
        chart,
        ends(story),
        element("p", missing, class_="timeline-left-out") if missing else "",
        table(story),
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
    yield _row(name, attempt_track(lane, scale), took, f"timeline-attempt is-{lane.end}")
    for step in lane.steps:
        own = element("small", quoted(step.name, MOST_NAME)) if step.label else ""
        name = element("span", step_name(step), " ", own)
        took = "late" if step.late else span(step.time.seconds)
        yield _row(name, step_track(step, scale), took, "timeline-step")


def _row(name: Markup, track: Markup, took: str, kind: str) -> Markup:
    return element(
        "div",
        element("span", name, class_="timeline-name"),
        track,
        element("span", took, class_="timeline-took"),
        class_=f"timeline-row {kind}",
    )
