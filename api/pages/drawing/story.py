"""What a timeline draws of a job's attempts: of too much, the newest and the longest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from api.pages.drawing.lanes import Answer, Lane, lane_of, time_of

MOST_LANES: Final = 12
MOST_STEPS: Final = 40
"""How many steps are drawn, of all attempts together."""
MOST_GAPS: Final = 120
"""How many silences are drawn, of all attempts together."""


class Story(NamedTuple):
    """Lanes, the oldest first, over the time from 0 to `until` seconds after `begins`."""

    begins: datetime
    until: float
    lanes: Sequence[Lane]
    lanes_left_out: int

    @property
    def live(self) -> bool:
        """True while an attempt is in progress; then the drawing ends now."""
        return any(lane.end == "open" for lane in self.lanes)


def story_of(timeline: Answer, now: datetime) -> Story:
    """Return what to draw of an answer: of too many attempts, steps or silences, a part.

    Newer attempts go before older ones, longer steps and silences before shorter ones.
    """
    attempts = _newest(timeline["attempts"])
    begins = min((time for each in attempts for time in _times(each)), default=now)
    steps, gaps, lanes, taken_over = MOST_STEPS, MOST_GAPS, list[Lane](), now
    for attempt in reversed(attempts):
        lane = _bounded(
            lane_of(attempt, begins, taken_over if attempt["superseded"] else now), steps, gaps
        )
        steps -= len(lane.steps)
        gaps -= len(lane.drawn_gaps)
        lanes.insert(0, lane)
        if attempt["started_at"]:
            taken_over = time_of(attempt["started_at"])
    ends = [end for lane in lanes for end in (lane.whole, *(step.time for step in lane.steps))]
    left_out = len(timeline["attempts"]) - len(attempts)
    return Story(begins, max(end.until for end in ends), lanes, left_out)


def _newest(attempts: Sequence[Answer]) -> Sequence[Answer]:
    """Return the newest attempts, and the one that the job shows in any case."""
    newest = attempts[-MOST_LANES:]
    shown = [each for each in attempts[:-MOST_LANES] if each["present"]]
    return [*shown, *newest[len(shown) :]]


def _bounded(lane: Lane, most_steps: int, most_gaps: int) -> Lane:
    # How the attempt ended, or what it does now, is at its last step.
    steps = sorted(lane.steps, key=lambda each: (each.end is None, each.late, -each.time.seconds))
    gaps = sorted(lane.gaps, key=lambda each: each.seconds, reverse=True)
    drawn = {id(each) for each in steps[:most_steps]}
    return lane._replace(
        steps=[each for each in lane.steps if id(each) in drawn],
        steps_left_out=max(0, len(steps) - most_steps),
        drawn_gaps=sorted(gaps[:most_gaps]),
    )


def _times(attempt: Answer) -> Iterator[datetime]:
    texts = [attempt["waiting_since"], attempt["started_at"], attempt["finished_at"]]
    texts += [step["started_at"] for step in attempt["steps"]]
    return (time_of(text) for text in texts if text is not None)
