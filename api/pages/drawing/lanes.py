"""What a timeline draws: a lane for each attempt, with its phases, silences and steps."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from api.pages.drawing.scale import Interval

Answer: TypeAlias = Mapping[str, Any]
"""An object of the answer that `timeline_body` makes."""
End = Literal["running", "stopped", "failed", "cancelled", "timed_out", "superseded", "open"]
SILENT: Final = 120.0
"""A silence counts after so many seconds, also while it goes on."""
MOST_LANES: Final = 12
MOST_STEPS: Final = 40
"""How many steps are drawn, of all attempts together."""
MOST_GAPS: Final = 120
"""How many silences are drawn, of all attempts together."""


class Step(NamedTuple):
    """A step's bar. A late step is a moment: its report came after the end of the attempt."""

    name: str
    label: str | None
    time: Interval
    late: bool
    end: End | None
    """How the attempt ended at this step; None for an earlier one."""


class Lane(NamedTuple):
    """An attempt. `heard` is from its first word to its end; None if it had no word.

    A phase is None if it had no length. Of `gaps`, which are all silences, the longest are drawn.
    """

    number: int
    run: str | None
    end: End
    error: str | None
    whole: Interval
    heard: Interval | None
    waiting: Interval | None
    starting: Interval | None
    working: Interval | None
    gaps: Sequence[Interval]
    drawn_gaps: Sequence[Interval]
    steps: Sequence[Step]
    steps_left_out: int = 0


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


def story(timeline: Answer, now: datetime) -> Story:
    """Return what to draw of an answer: of too many attempts, steps or silences, a part.

    Newer attempts go before older ones, longer steps and silences before shorter ones.
    """
    attempts = _newest(timeline["attempts"])
    begins = min((time for each in attempts for time in _times(each)), default=now)
    steps, gaps, lanes, taken_over = MOST_STEPS, MOST_GAPS, list[Lane](), now
    for attempt in reversed(attempts):
        lane = _bounded(
            _lane(attempt, begins, taken_over if attempt["superseded"] else now), steps, gaps
        )
        steps -= len(lane.steps)
        gaps -= len(lane.drawn_gaps)
        lanes.insert(0, lane)
        if attempt["started_at"]:
            taken_over = _time(attempt["started_at"])
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
    kept = {id(each) for each in steps[:most_steps]}
    return lane._replace(
        steps=[each for each in lane.steps if id(each) in kept],
        steps_left_out=max(0, len(steps) - most_steps),
        drawn_gaps=sorted(gaps[:most_gaps]),
    )


def _times(attempt: Answer) -> Iterator[datetime]:
    texts = [attempt["waiting_since"], attempt["started_at"], attempt["finished_at"]]
    texts += [step["started_at"] for step in attempt["steps"]]
    return (_time(text) for text in texts if text is not None)


def _time(text: str) -> datetime:
    time = datetime.fromisoformat(text)
    try:
        return time.astimezone(UTC)
    except OverflowError:  # in the first or the last hours that a datetime can have
        return time.replace(tzinfo=UTC)


def _lane(attempt: Answer, begins: datetime, now: datetime) -> Lane:
    """Return the lane of an attempt; without an end of its own, it ends now."""

    def second(text: str) -> float:
        return (_time(text) - begins).total_seconds()

    end, rows = _end(attempt), attempt["steps"]
    reached = [second(row["started_at"]) for row in rows if not row["late"]]
    starts = min(reached, default=None)
    words = [*reached, *([second(attempt["started_at"])] if attempt["started_at"] else [])]
    first = min(words, default=None)
    last_word = second(attempt["last_contact_at"]) if attempt["last_contact_at"] else None
    asked = second(attempt["waiting_since"]) if attempt["waiting_since"] else None
    ends = max([0.0, *words, *([asked] if asked is not None else [])])
    if attempt["finished_at"]:
        ends = max(ends, second(attempt["finished_at"]))
    else:
        ends = max(ends, last_word or 0.0, (now - begins).total_seconds())
    gaps = [Interval(second(each["since"]), second(each["until"])) for each in attempt["gaps"]]
    if end in ("open", "superseded") and last_word is not None and ends - last_word > SILENT:
        gaps.append(Interval(last_word, ends))
    waiting = _phase(asked, ends if first is None else first)
    begun = min(each for each in (asked, first, ends) if each is not None)
    return Lane(
        number=attempt["number"],
        run=attempt["workflow_run_id"],
        end=end,
        error=attempt["error"],
        whole=Interval(begun, ends),
        heard=None if first is None else Interval(first, ends),
        waiting=waiting,
        starting=_phase(first, ends if starts is None else starts),
        working=_phase(starts, ends),
        gaps=[] if first is None else _within(first, ends, gaps),
        drawn_gaps=(),
        steps=_steps(rows, end, ends, second),
    )


def _end(attempt: Answer) -> End:
    if attempt["superseded"]:
        return "superseded"
    outcome: End | None = attempt["outcome"]
    return outcome or "open"


def _phase(since: float | None, until: float) -> Interval | None:
    return Interval(since, until) if since is not None and since < until else None


def _within(since: float, until: float, gaps: Sequence[Interval]) -> list[Interval]:
    """Return the silences as far as they are between two times: senders' clocks may be off."""
    cut = [Interval(max(since, each.since), min(until, each.until)) for each in gaps]
    return sorted(each for each in cut if each.seconds > 0)


def _steps(
    rows: Sequence[Answer], end: End, ends: float, second: Callable[[str], float]
) -> list[Step]:
    reached = [row for row in rows if not row["late"]]
    steps = []
    for row in rows:
        since = second(row["started_at"])
        until = second(row["finished_at"]) if row["finished_at"] else ends
        time = Interval(since, since if row["late"] else max(since, until))
        is_last = bool(reached) and row is reached[-1]
        label = row["ui_label"]
        steps.append(Step(row["step"], label, time, row["late"], end if is_last else None))
    return steps
