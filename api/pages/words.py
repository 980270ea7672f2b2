"""The words of the pages: states, sentences, times and durations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from flask import request, url_for

from api.badges.badge import state_of
from domain.unseen import visible, visible_lines
from projections.views.durations import span

WORDS: Final = {"timed_out": "timed out"}
"""States whose word on a page is another one."""
CUT: Final = 160
"""A text in a list is cut to this many characters."""


def word(state: str) -> str:
    """Return a state as a person reads it."""
    return WORDS.get(state, state)


def where(job: Mapping[str, Any]) -> str:
    """Return how far a job is, as `Installing Dependencies, step 3 of 5`; empty if it is done."""
    steps = job["steps"]
    for number, step in enumerate(steps, 1):
        if step.status in ("active", "error"):
            return f"{step.label}, step {number} of {len(steps)}"
    return ""


def standing(job: Mapping[str, Any]) -> str:
    """Return a sentence about the job that changes only when its state does."""
    state, place = state_of(job), where(job)
    match state:
        case "pending":
            return "Pending: its workflow has not reported yet."
        case "provisioning":
            return f"Provisioning: {place}." if place else "Provisioning."
        case "running":
            return "Running: all steps are completed."
        case "stopping":
            return "Stopping: nobody has confirmed yet that the machine is gone."
        case "stopped":
            return "Stopped: the machine is gone."
        case "timed_out":
            return f"Timed out at {place}." if place else "Timed out."
        case "cancelled":
            return f"Cancelled at {place}." if place else "Cancelled."
        case _:
            return f"Failed at {place}." if place else "Failed."


def title(job: Mapping[str, Any]) -> str:
    """Return the title of a job's page: the state first, so that a narrow tab shows it."""
    name = visible(str(job["id"]))
    state = state_of(job)
    steps = job["steps"]
    if state == "provisioning":
        for number, step in enumerate(steps, 1):
            if step.status == "active":
                return f"{number} of {len(steps)} · {visible(step.label)} · {name}"
    return f"{word(state).capitalize()} · {name}"


def cut(text: str, most: int = CUT) -> str:
    """Return the beginning of a text on one line, with an ellipsis if it goes on."""
    line = " ".join(text[: most + 1].split())
    return line if len(text) <= most else f"{line[:most].rstrip()} …"


def day_and_clock(time: datetime | str) -> str:
    """Return day and time in UTC, to the second, without the zone."""
    return f"{_time(time):%Y-%m-%d %H:%M:%S}"


def since(time: datetime | str, until: datetime | str) -> str:
    """Return how long it is from one time to another, in whole seconds as a clock ticks."""
    return span(int((_time(until) - _time(time)).total_seconds()))


def took(time: datetime | str, until: datetime | str) -> str:
    """Return how long something took that is over, to a tenth of a second."""
    return span((_time(until) - _time(time)).total_seconds())


def iso(time: datetime | str) -> str:
    """Return a time as HTML's `datetime` wants it."""
    return _time(time).isoformat().replace("+00:00", "Z")


def counted(number: int, one: str, many: str) -> str:
    """Return a number with its noun."""
    return f"{number:,} {one if number == 1 else many}"


def silences(gaps: Sequence[Mapping[str, Any]]) -> str:
    """Return how many silences an attempt had, and how long they were together."""
    seconds = sum(gap["duration_seconds"] for gap in gaps)
    return f"{counted(len(gaps), 'silence', 'silences')}, {span(seconds)} in all"


def _time(time: datetime | str) -> datetime:
    found = datetime.fromisoformat(time) if isinstance(time, str) else time
    return found.astimezone(UTC)


def lines(text: object) -> str:
    """Return a text with its line breaks and tabs, and its other unseen characters written out."""
    return visible_lines(str(text).replace("\r\n", "\n").expandtabs())


def duration(time: datetime | str, until: datetime | str) -> str:
    """Return how long it is from one time to another, as HTML's `datetime` wants it."""
    return f"PT{max(0, int((_time(until) - _time(time)).total_seconds()))}S"


def here(**query: Any) -> str:
    """Return the address of this page with another query.

    The answer to the form of an order is the job's page.
    """
    shown = dict(request.view_args or {})
    endpoint = "job.show" if shown.pop("name", None) else request.endpoint or ""
    values: dict[str, Any] = {**shown, **query}
    given = {name: value for name, value in values.items() if value is not None}
    return url_for(endpoint, **given)


FILTERS: Final = {
    "visible": lambda text: visible(str(text)),
    "visible_lines": lines,
    "word": word,
    "cut": cut,
    "day_and_clock": day_and_clock,
    "iso": iso,
    "since": since,
    "took": took,
    "duration": duration,
    "silences": silences,
}
"""What templates call these by."""
