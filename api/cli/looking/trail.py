"""A job's history as a table with a row for every event."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import chain, islice
from typing import Final

import msgspec
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from api.cli.terminal.options import shown_time
from api.cli.terminal.tables import status_text
from api.representations.changes import changes
from api.representations.job import job_body
from domain.job.attempt.clocks import is_apart
from domain.unseen import visible
from domain.workflows.definition import Workflows
from projections.reading.actor import actor_of
from projections.reading.entries import Entry

AT_ONCE: Final = 200
"""How many events are printed at a time, so that a long history begins to appear at once."""
WIDE: Final = 140
"""The least number of columns that have room for all details."""
MAX_WORD: Final = 500
"""A value is cut to this many characters before it is laid out."""
IMPORTANT: Final = ("status", "step", "error", "failed_step", "reason", "detail")
"""Fields of a payload that are shown before its other fields."""
SHOWN: Final = {"status", "current_step", "failed_at_step", "attempt", "retry_count"}
"""Fields whose new values the column of the state shows; other changed fields are named only."""


def print_trail(
    out: Console, entries: Iterator[Entry], workflows: Workflows, at_once: int = AT_ONCE
) -> None:
    """Print the events while they are read, or a sentence if there are no events."""
    first = next(entries, None)
    if first is None:
        out.print("No such events.")
        return
    entries, heading = chain([first], entries), True
    wide = out.width >= WIDE
    while some := list(islice(entries, at_once)):
        table = _table(wide, heading)
        for entry in some:
            table.add_row(*_row(entry, workflows, wide))
        out.print(table)
        heading = False


def _table(wide: bool, heading: bool) -> Table:
    table = Table(
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
        expand=True,
        show_header=heading,
    )
    # The widths do not depend on the rows, so that the next table continues this one.
    table.add_column("Time (UTC)", width=19 if wide else 14, no_wrap=True)
    table.add_column("#", width=6, justify="right", no_wrap=True)
    table.add_column("Event", width=17, no_wrap=True)
    if wide:
        table.add_column("Said", ratio=1, overflow="fold")
        table.add_column("By", width=28, overflow="fold")
        table.add_column("After it", ratio=1, overflow="fold")
    else:
        # Two columns would each have 14 of 80 characters: too few for the name of a step.
        table.add_column("By", width=9, no_wrap=True)
        table.add_column("Said, and after it", ratio=1, overflow="fold")
    return table


def _row(entry: Entry, workflows: Workflows, wide: bool) -> Iterable[Text]:
    faulty = bool(entry.error)
    time = shown_time(entry.fact.recorded_at if entry.fact else None) or "unknown"
    by = actor_of(entry)
    about = (
        Text(time if wide else time[5:], "dim"),
        Text(str(entry.stored.version)),
        Text(visible(entry.stored.topic), "red" if faulty else "bold"),
    )
    said = Text(visible(entry.error or _sent(entry) + in_short(entry)), "red" if faulty else "")
    sender = Text(visible((str(by) if wide else by.in_short) if by else ""), "dim")
    after = _state_after(entry, workflows, wide)
    if wide:
        return (*about, said, sender, after)
    return (*about, sender, Text("\n").join([said, Text.assemble("→ ", after)]))


def in_short(entry: Entry) -> str:
    """Return an event's payload on one line, the most important fields first."""
    payload = entry.said
    names = [*(n for n in IMPORTANT if n in payload), *(n for n in payload if n not in IMPORTANT)]
    return ", ".join(f"{name} {_word(payload[name])}" for name in names)


def _state_after(entry: Entry, workflows: Workflows, wide: bool) -> Text:
    """Return the state after the event, with the changed values in bold."""
    before = job_body(entry.before, workflows) if entry.before.version else {}
    after = job_body(entry.after, workflows)
    changed = {change["field"] for change in changes(before, after)}
    if not changed:
        other = entry.attempt != entry.after.attempt.number
        whose = f", of attempt {entry.attempt}" if entry.attempt else ", of no attempt"
        return Text("no change" + (whose if other else ""), "dim")
    number = entry.after.attempt.number
    state = {
        "status": status_text(after["status"], after["outcome"]),
        "current_step": Text(visible(after["current_step"] or "")),
        "failed_at_step": Text(visible(after["failed_at_step"] or "")),
        "attempt": Text(f"attempt {number}" if number > 1 else ""),
    }
    for name, text in state.items():
        text.stylize("bold" if name in changed else "dim")
    if not wide:
        # A narrow column cuts off its end: changed values come first, and a step before a status.
        order = sorted(state, key=lambda name: (name not in changed, name != "current_step"))
        state = {name: state[name] for name in order}
    others = sorted(name for name in changed - SHOWN if not name.startswith("steps."))
    if wide and others and entry.before.version:
        state["others"] = Text(f"+ {', '.join(others)}", "dim")
    return Text(" ").join(text for text in state.values() if text)


def _sent(entry: Entry) -> str:
    """Return when the sender says that it happened, if that is far from when it was recorded."""
    occurred_at = getattr(entry.fact, "occurred_at", None)
    if not is_apart(occurred_at, entry.recorded_at):
        return ""
    return f"its sender says {shown_time(occurred_at)}; "


def _word(value: object) -> str:
    if isinstance(value, datetime):
        return shown_time(value)
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    # No column is wider, and laying out a text of 1 MiB takes a second.
    return " ".join(text[:MAX_WORD].split())
