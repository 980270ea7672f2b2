"""The same timeline in words, for those who do not see the drawing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from markupsafe import Markup

from api.elements import quoted
from api.pages.drawing.lanes import End, Lane, Step
from api.pages.drawing.scale import Interval, silences
from api.pages.drawing.story import Story
from projections.views.durations import span
from projections.views.gist import gist

ENDS: Final[dict[End, str]] = {
    "running": "running",
    "stopped": "stopped",
    "failed": "failed",
    "cancelled": "cancelled",
    "timed_out": "timed out",
    "superseded": "superseded",
    "open": "in progress",
}
VERBS: Final[dict[End, str]] = {
    "failed": "failed",
    "cancelled": "was cancelled",
    "timed_out": "was given up",
}
MOST_NAME: Final = 60
MOST_ERROR: Final = 200
MOST_LANES_IN_WORDS: Final = 3
"""How many attempts the sentences tell of; the table has the others."""


def state(lane: Lane) -> str:
    """Return the state of an attempt in a word or two."""
    return "waiting" if lane.end == "open" and lane.heard is None else ENDS[lane.end]


def moment(begins: datetime, second: float) -> datetime:
    """Return the time of a second of the drawing."""
    return begins + timedelta(seconds=second)


def clock(time: datetime) -> str:
    """Return a time as the pages write it."""
    return f"{time.replace(microsecond=0, tzinfo=None)} UTC"


def step_name(step: Step) -> Markup:
    """Return what a person calls the step: the label that pages show, else its own name."""
    return quoted(step.label or step.name, MOST_NAME)


def sentences(story: Story) -> Iterator[str | Markup]:
    """Tell the story of the newest attempts, a few sentences each."""
    newest = story.lanes[-MOST_LANES_IN_WORDS:]
    if older := len(story.lanes) - len(newest):
        yield f"Before these, the drawing has {_plural(older, 'earlier attempt')}."
    for lane in newest:
        yield from _of_attempt(lane)


def _of_attempt(lane: Lane) -> Iterator[str | Markup]:
    who = f"Attempt {lane.number}"
    waited = span(lane.waiting.seconds) if lane.waiting else None
    if lane.heard is None:
        if lane.end == "open":
            if waited:
                yield f"{who} has been waiting for its workflow for {waited}."
            else:
                yield f"{who} has not begun."
        elif waited is None:
            yield Markup("{} {}.").format(who, _how_it_went(lane, lane.whole))
        else:
            yield Markup("{} waited {} and then {}.").format(
                who, waited, _how_it_went(lane, lane.whole)
            )
        return
    if waited:
        yield f"{who} waited {waited} for its workflow."
        who = "It"
    yield Markup("{} {}.").format(who, _how_it_went(lane, lane.heard))
    if lane.gaps:
        longest = span(max(each.seconds for each in lane.gaps))
        if len(lane.gaps) == 1:
            yield f"It was silent for {longest}."
        else:
            yield f"It was silent {len(lane.gaps)} times, at most for {longest}."


def _how_it_went(lane: Lane, time: Interval) -> str | Markup:
    took = span(time.seconds)
    last = next((step for step in reversed(lane.steps) if step.end is not None), None)
    at = Markup(" at the step {}").format(step_name(last)) if last else Markup("")
    match lane.end:
        case "open":
            now = Markup(", now{}").format(at) if at else ""
            return Markup("has been in progress for {}{}").format(took, now)
        case "running" | "stopped":
            return f"was ready after {took}"
        case "superseded":
            words = Markup("was in progress for {}{}; then another run took its place")
            return words.format(took, at)
        case _:
            error = ""
            if lane.error:
                in_one_line = " ".join(gist(lane.error).split()).rstrip(".")
                error = Markup(": {}").format(quoted(in_one_line, MOST_ERROR))
            return Markup("{} after {}{}{}").format(VERBS[lane.end], took, at, error)


def totals(story: Story) -> list[tuple[str, float]]:
    """Return how many seconds all drawn attempts together spent in each way, if any."""
    phases = ("waiting", "starting", "working")
    sums = dict.fromkeys((*phases, "silent", "between"), 0.0)
    for lane in story.lanes:
        for name in phases:
            phase: Interval | None = getattr(lane, name)
            if phase:
                silent = sum(_overlap(phase, gap) for gap in lane.gaps)
                sums[name] += phase.seconds - silent
                sums["silent"] += silent
    ends = max(lane.whole.until for lane in story.lanes)
    between = silences(ends, (lane.whole for lane in story.lanes))
    sums["between"] = sum(each.seconds for each in between)
    return [(name, seconds) for name, seconds in sums.items() if seconds > 0]


def _overlap(one: Interval, other: Interval) -> float:
    return max(0.0, min(one.until, other.until) - max(one.since, other.since))


def left_out(story: Story) -> str | None:
    """Say what is not drawn; None if everything is."""
    counts = (
        (story.lanes_left_out, "earlier attempt"),
        (sum(lane.steps_left_out for lane in story.lanes), "shorter step"),
        (sum(len(lane.gaps) - len(lane.drawn_gaps) for lane in story.lanes), "shorter silence"),
    )
    parts = [_plural(number, what) for number, what in counts if number]
    if not parts:
        return None
    *first, last = parts
    return f"Not drawn: {', '.join(first)}{' and ' if first else ''}{last}."


def _plural(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def short(interval: Interval) -> str:
    """Return how long it was, in one unit."""
    seconds = interval.seconds
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if (number := seconds / size) >= 1:
            return f"{number:.1f}".removesuffix(".0") + f" {unit}"
    return f"{seconds:.0f} s"
