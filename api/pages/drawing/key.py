"""The key of a timeline: what each colour means, and how much time was spent so."""

from __future__ import annotations

from typing import Final

from markupsafe import Markup

from api.elements import element
from api.pages.drawing.bars import FILLS
from api.pages.drawing.scale import Scale
from api.pages.drawing.story import Story
from api.pages.drawing.words import totals
from projections.views.durations import span

MEANINGS: Final = {
    "waiting": "waiting for the workflow",
    "starting": "starting, before the first step",
    "working": "working",
    "silent": "silent",
    "between": "between attempts",
    "squeezed": "not to scale",
}


def key(story: Story, scale: Scale) -> Markup:
    """Return what each colour means, and how much time all attempts spent so."""
    times = totals(story)
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
