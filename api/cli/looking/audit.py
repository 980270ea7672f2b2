"""audit: the events of a job, their senders, and what each event changed."""

from __future__ import annotations

from datetime import datetime
from itertools import chain, takewhile

import click
from rich.text import Text

from api.cli.looking.trail import print_trail
from api.cli.terminal.opening import opened
from api.cli.terminal.options import Kinds, When
from api.cli.terminal.output import as_json, indented, print_json
from api.cli.terminal.steps import steps_text
from api.cli.terminal.tables import console, status_text
from api.representations.event import entry_body
from api.representations.job import shown_steps
from api.wiring import Services
from domain.errors import JobNotFound
from domain.log.reading.contract import NEWEST
from projections.reading.entries import Wanted
from projections.reading.time_travel import PointInHistory
from projections.views.instance import Instance


@click.command()
@click.argument("job_id", metavar="JOB")
@click.option(
    "--kind", "kinds", type=Kinds(), multiple=True, help="Show only these kinds of events."
)
@click.option("--since", type=When(), help="Show only events recorded at this time or later.")
@click.option(
    "--until", type=When(through=True), help="Show only events recorded at this time or earlier."
)
@click.option("--attempt", type=click.IntRange(1, NEWEST), help="Show only events of this attempt.")
@click.option(
    "--version", type=click.IntRange(1, NEWEST), help="Stop after the event of this version."
)
@click.option("--at", type=When(through=True), help="Stop at this time.")
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
    """Show every event of JOB, its sender, and what it changed.

    With --version or --at, the history and the state below it end at that event. A time looks like
    2026-03-02T14:03:00Z.
    """
    if version is not None and at is not None:
        raise click.UsageError("--version and --at exclude one another")
    wanted = Wanted(kinds=[*chain(*kinds)], since=since, until=until, attempt=attempt)
    with opened(only_looks=True) as services:
        present = services.reader.instance(job_id)
        if present is None:
            raise JobNotFound(f"There is no job {job_id!r}.")
        end = services.history.instance(present, PointInHistory(version, at))
        entries = takewhile(
            lambda entry: entry.after.version <= end.version,
            services.history.entries(job_id, wanted),
        )
        if as_json:
            for entry in entries:
                print_json(entry_body(entry, services.workflows))
            return
        print_trail(console(), entries, services.workflows)
        _print_state(end, present, services)


def _print_state(end: Instance, present: Instance, services: Services) -> None:
    """Print the state after the last event."""
    label = "State now" if end.version == present.version else f"State at version {end.version}"
    console().print(
        Text(f"{label}: "),
        status_text(end.status, end.attempt.outcome),
        steps_text(shown_steps(end, services.workflows)),
    )
    if end.attempt.final and end.attempt.final.error:
        click.echo(f"  {indented(end.attempt.final.error, 2)}")
