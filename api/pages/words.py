"""The words of the pages: states, sentences, times and durations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from flask import request, url_for

from api.badges.badge import state_of
from domain.unseen import visible, visible_lines
from projections.views.durations import span
from projections.views.gist import gist

WORDS: Final = {"timed_out": "timed out"}
"""States whose word on a page is another one."""
UNWELL: Final = {
    "late": "It is late: nothing has been heard for longer than usual.",
    "unresponsive": "It is unresponsive, and may be dead.",
}
"""What a health that is not ok means, in words that do not change with time."""
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


def headline(job: Mapping[str, Any]) -> str:
    """Return a sentence about the job that changes only when its state does."""
    state, rest = word(state_of(job)).capitalize(), detail(job)
    if not rest:
        return f"{state}."
    glue = " " if rest.startswith("at ") else ": "
    return f"{state}{glue}{rest[0].lower() + rest[1:] if rest.endswith('.') else rest + '.'}"


def detail(job: Mapping[str, Any]) -> str:
    """Return what a reader wants to know who sees the job's state already."""
    state, place = state_of(job), where(job)
    match state:
        case "pending":
            return "Its workflow has not reported yet."
        case "provisioning":
            return place
        case "running":
            return "All steps are completed."
        case "stopping":
            return "Nobody has confirmed yet that the machine is gone."
        case "stopped":
            return "The machine is gone."
        case _:
            return f"at {place}" if place else ""


def announced(job: Mapping[str, Any]) -> str:
    """Return what a screen reader says once it has changed: the sentence, and a health not ok."""
    unwell = UNWELL.get(health_state(job))
    return f"{headline(job)} {unwell}" if unwell else headline(job)


def health_state(job: Mapping[str, Any]) -> str:
    """Return how alive the job is; in the past, nobody asks."""
    return str(job["health"]["state"]) if job["health"] else "ok"


def title(job: Mapping[str, Any]) -> str:
    """Return the title of a job's page: the state first, so that a narrow tab shows it."""
    name = visible(str(job["id"]))
    state, health = state_of(job), health_state(job)
    steps = job["steps"]
    parts = [f"{word(state).capitalize()}"]
    if state == "provisioning":
        for number, step in enumerate(steps, 1):
            if step.status == "active":
                parts = [f"{number} of {len(steps)}", visible(step.label)]
    if health != "ok":
        parts.insert(0, f"{health.capitalize()}!")
    return " · ".join((*parts, name))


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
    "gist": gist,
    "counted": counted,
    "day_and_clock": day_and_clock,
    "iso": iso,
    "since": since,
    "took": took,
    "duration": duration,
    "silences": silences,
}
"""What templates call these by."""
