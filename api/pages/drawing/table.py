"""The same timeline as a table."""

from __future__ import annotations

from collections.abc import Iterator

from markupsafe import Markup

from api.elements import element, quoted
from api.pages.drawing.lanes import Lane, Step
from api.pages.drawing.scale import Interval
from api.pages.drawing.story import Story
from api.pages.drawing.words import MOST_NAME, clock, moment, state, step_name
from projections.views.durations import span

COLUMNS = ("Attempt", "What", "From", "Took")


def table(story: Story) -> Markup:
    """Return everything that is drawn as rows of a table, in the order of the drawing."""
    head = element("tr", *(element("th", each, scope="col") for each in COLUMNS))
    body = Markup("").join(
        element("tr", *(element("td", cell) for cell in row))
        for lane in story.lanes
        for row in _rows(lane, story)
    )
    whole = element("table", element("thead", head), element("tbody", body))
    return element(
        "details", element("summary", "The same as a table"), whole, class_="timeline-table"
    )


def _rows(lane: Lane, story: Story) -> Iterator[tuple[str | Markup, ...]]:
    def row(
        what: str | Markup, time: Interval, took: str | None = None
    ) -> tuple[str | Markup, ...]:
        since = moment(story.begins, time.since)
        at = element("time", clock(since), datetime=since.isoformat())
        return str(lane.number), what, at, span(time.seconds) if took is None else took

    if lane.waiting:
        yield row("waiting for its workflow", lane.waiting)
    if lane.starting:
        yield row("starting, before the first step", lane.starting)
    entries: list[tuple[Interval, str | Markup]] = [
        *((step.time, _step(step)) for step in lane.steps),
        *((gap, "silence") for gap in lane.drawn_gaps),
    ]
    for time, what in sorted(entries):
        yield row(what, time)
    yield row(state(lane), Interval(lane.whole.until, lane.whole.until), "")


def _step(step: Step) -> Markup:
    own = Markup(" ({})").format(quoted(step.name, MOST_NAME)) if step.label else ""
    return Markup("{}{}{}").format(step_name(step), own, ", late" if step.late else "")
