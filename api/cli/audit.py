"""audit: what happened to a job, who said so, and what it changed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import chain, islice, takewhile

import click
import msgspec
from rich import box
from rich.table import Table
from rich.text import Text

from api.changes import changes
from api.cli.moments import Kinds, When, shown_time
from api.cli.output import as_json, console, opened, print_json, printable, status_text
from api.cli.steps import steps_text
from api.entries import entry_body
from api.representations import job_body, shown_steps
from api.wiring import Services
from domain.errors import JobNotFound
from projections.audit import Entry, Wanted
from projections.instance import Instance
from projections.time_travel import Place

AT_ONCE = 200
"""How many events are printed at a time: a long history begins to appear at once."""
TELLING = ("status", "step", "error", "failed_step")
"""What is said first of what an event said."""
IN_THE_COLUMN = {"id", "status", "current_step", "failed_at_step", "attempt", "retry_count"}


@click.command()
@click.argument("job_id", metavar="JOB")
@click.option("--kind", "kinds", type=Kinds(), multiple=True, help="Only these kinds of events.")
@click.option("--since", type=When(), help="Only what was recorded then or later.")
@click.option("--until", type=When(), help="Only what was recorded then or earlier.")
@click.option("--attempt", type=click.IntRange(min=1), help="Only what belongs to this attempt.")
@click.option("--version", type=click.IntRange(min=1), help="Up to the event of this version.")
@click.option("--at", type=When(), help="Up to this time.")
@as_json
def audit(
    job_id: str,
    kinds: tuple[list[str], ...],
    since: datetime | None,
    until: datetime | None,
    attempt: int | None,
    version: int | None,
    at: datetime | None,
    as_json: bool,
) -> None:
    """Show every event of JOB: what it said, who signed it, and what it changed.

    With --version or --at, the history ends there, and so does what it came to. Times are like
    2026-03-02T14:03:00Z.
    """
    if version is not None and at is not None:
        raise click.UsageError("--version and --at are two ways to say one thing; give one")
    wanted = Wanted(kinds=[*chain(*kinds)], since=since, until=until, attempt=attempt)
    with opened(only_if_there=True) as here:
        present = here.reader.instance(job_id)
        if present is None:
            raise JobNotFound(f"There is no job {job_id!r}.")
        end = here.history.instance(present, Place(version, at))
        entries = takewhile(
            lambda entry: entry.after.version <= end.version, here.history.entries(job_id, wanted)
        )
        if as_json:
            for entry in entries:
                print_json(entry_body(entry, here.workflows))
            return
        _print(entries, here)
        _sum_up(end, present, here)


def _print(entries: Iterator[Entry], here: Services) -> None:
    first = next(entries, None)
    if first is None:
        click.echo("No such events.")
        return
    out, entries, heading = console(), chain([first], entries), True
    while some := list(islice(entries, AT_ONCE)):
        table = Table(
            box=box.SIMPLE_HEAD,
            padding=(0, 1, 0, 0),
            pad_edge=False,
            expand=True,
            show_header=heading,
        )
        # Widths that do not depend on what is in the rows: one table goes on where another ended.
        table.add_column("Time (UTC)", width=19, no_wrap=True)
        table.add_column("#", width=6, justify="right", no_wrap=True)
        table.add_column("Event", width=17, no_wrap=True, overflow="ellipsis")
        table.add_column("Said", ratio=3, no_wrap=True, overflow="ellipsis")
        table.add_column("Signed by", width=24, no_wrap=True, overflow="ellipsis")
        table.add_column("After it", ratio=3, overflow="fold")
        for entry in some:
            table.add_row(*_row(entry, here))
        out.print(table)
        heading = False


def _row(entry: Entry, here: Services) -> Iterable[Text]:
    stored = entry.stored
    said = entry.error or in_short(entry)
    return (
        Text(shown_time(entry.fact.recorded_at if entry.fact else None) or "?", "dim"),
        Text(str(stored.originator_version)),
        Text(printable(stored.topic), "red" if entry.error else "bold"),
        Text(printable(said), "red" if entry.error else ""),
        Text(printable(signer(entry)), "dim"),
        _left(entry, here),
    )


def in_short(entry: Entry) -> str:
    """Return what an event said on one line, the most telling first."""
    said = entry.said
    names = [
        *(name for name in TELLING if name in said),
        *(name for name in said if name not in TELLING),
    ]
    return ", ".join(f"{name} {_word(said[name])}" for name in names)


def signer(entry: Entry) -> str:
    """Return who signed an event, or asked for it, or decided it."""
    for name in ("signed_by", "requested_by"):
        if value := getattr(entry.fact, name, None):
            return str(value)
    return "" if entry.fact is None or hasattr(entry.fact, "signed_by") else "Milepost"


def _left(entry: Entry, here: Services) -> Text:
    """Return the state that the event left; what it changed stands out."""
    before = job_body(entry.before, here.workflows) if entry.before.version else {}
    after = job_body(entry.after, here.workflows)
    changed = {change["field"] for change in changes(before, after)}
    if not changed:
        late = entry.attempt != entry.after.attempt.number
        return Text("no change" + (f", of attempt {entry.attempt}" if late else ""), "dim")
    status = status_text(entry.after.status)
    status.stylize("bold" if "status" in changed else "dim")
    parts = [status]
    parts += [
        Text(printable(after[name]), "bold" if name in changed else "dim")
        for name in ("current_step", "failed_at_step")
        if after[name]
    ]
    if entry.after.attempt.number > 1:
        number = f"attempt {entry.after.attempt.number}"
        parts.append(Text(number, "bold" if "attempt" in changed else "dim"))
    others = sorted(name for name in changed - IN_THE_COLUMN if not name.startswith("steps."))
    if others and entry.before.version:
        parts.append(Text(f"+ {', '.join(others)}", "dim"))
    return Text(" ").join(parts)


def _sum_up(end: Instance, present: Instance, here: Services) -> None:
    """Print what the history came to."""
    came_to = "It stands so" if end.version == present.version else f"It stood so at {end.version}"
    console().print(
        Text(f"{came_to}: "), status_text(end.status), steps_text(shown_steps(end, here.workflows))
    )
    if end.attempt.final and end.attempt.final.error:
        click.echo(f"  {printable(end.attempt.final.error)}")


def _word(value: object) -> str:
    if isinstance(value, datetime):
        return shown_time(value)
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return " ".join(text.split())
