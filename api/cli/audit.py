"""audit: what happened to a job, who said so, and what it changed."""

from __future__ import annotations

from datetime import datetime
from itertools import chain, takewhile

import click
from rich.text import Text

from api.cli.terminal.options import Kinds, When
from api.cli.terminal.output import as_json, console, indented, opened, print_json, status_text
from api.cli.terminal.steps import steps_text
from api.cli.terminal.trail import print_trail
from api.representations.event import entry_body
from api.representations.job import shown_steps
from api.wiring import Services
from domain.errors import JobNotFound
from projections.reading.entries import Wanted
from projections.reading.time_travel import PointInHistory
from projections.views.instance import Instance


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
    """Show every event of JOB, who said so, and what it changed.

    With --version or --at, the history ends there, and so does what it came to. Times are like
    2026-03-02T14:03:00Z.
    """
    if version is not None and at is not None:
        raise click.UsageError("--version and --at are two ways to say one thing; give one")
    wanted = Wanted(kinds=[*chain(*kinds)], since=since, until=until, attempt=attempt)
    with opened(only_looks=True) as here:
        present = here.reader.instance(job_id)
        if present is None:
            raise JobNotFound(f"There is no job {job_id!r}.")
        end = here.history.instance(present, PointInHistory(version, at))
        entries = takewhile(
            lambda entry: entry.after.version <= end.version, here.history.entries(job_id, wanted)
        )
        if as_json:
            for entry in entries:
                print_json(entry_body(entry, here.workflows))
            return
        print_trail(console(), entries, here.workflows)
        _sum_up(end, present, here)


def _sum_up(end: Instance, present: Instance, here: Services) -> None:
    """Print what the history came to."""
    came_to = (
        "It stands so"
        if end.version == present.version
        else f"It stood so at version {end.version}"
    )
    console().print(
        Text(f"{came_to}: "), status_text(end.status), steps_text(shown_steps(end, here.workflows))
    )
    if end.attempt.final and end.attempt.final.error:
        click.echo(f"  {indented(end.attempt.final.error, 2)}")
