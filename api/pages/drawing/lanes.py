"""A lane of a timeline: an attempt with its phases, silences and steps, read from the answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from api.pages.drawing.scale import Interval

Answer: TypeAlias = Mapping[str, Any]
"""An object of the answer that `timeline_body` makes."""
End = Literal["running", "stopped", "failed", "cancelled", "timed_out", "superseded", "open"]
SILENT: Final = 120.0
"""A silence counts after so many seconds, also while it goes on."""


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


def time_of(text: str) -> datetime:
    """Return a time of the answer, in UTC."""
    time = datetime.fromisoformat(text)
    try:
        return time.astimezone(UTC)
    except OverflowError:  # in the first or the last hours that a datetime can have
        return time.replace(tzinfo=UTC)


def lane_of(attempt: Answer, begins: datetime, now: datetime) -> Lane:
    """Return the lane of an attempt; without an end of its own, it ends now."""

    def second(text: str) -> float:
        return (time_of(text) - begins).total_seconds()

    end, rows = _end(attempt), attempt["steps"]
    reached = [second(row["started_at"]) for row in rows if not row["late"]]
    starts = min(reached, default=None)
    words = [*reached, *([second(attempt["started_at"])] if attempt["started_at"] else [])]
    first = min(words, default=None)
    last_word = second(attempt["last_contact_at"]) if attempt["last_contact_at"] else None
    asked = second(attempt["waiting_since"]) if attempt["waiting_since"] else None
    if asked is not None and first is not None and asked > first:
        asked = None  # it was registered after its workflow had begun: nobody waited
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
