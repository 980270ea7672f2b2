"""status: one look at the whole."""

from __future__ import annotations

import click

from api.cli.output import as_json, opened, print_json, print_table, status_text
from domain.store import translated


@click.command()
@as_json
def status(as_json: bool) -> None:
    """Show the database, how far the read model is, and how many jobs there are."""
    with opened(only_if_there=True) as here, translated():
        folded, newest = here.read_model.position(), here.read_model.newest_position()
        counts = dict(here.read_model.counts())
        set_aside = here.read_model.set_aside()
        database = here.settings.shown_database
    if as_json:
        return print_json(
            {
                "database": database,
                "log_position": newest,
                "read_model_position": folded,
                "lag_events": max(0, newest - folded),
                "jobs": counts,
                "set_aside": set_aside,
            }
        )
    click.echo(f"Database     {database}")
    click.echo(f"Log          position {newest}")
    behind = newest - folded
    click.echo(f"Read model   {_behind(behind)}")
    rows = [(status_text(name), count) for name, count in sorted(counts.items())]
    print_table(("Status", "Jobs"), rows, "Jobs         none yet")
    if set_aside:
        rows_aside = [(e.position, e.job_id, e.version, e.topic, e.error) for e in set_aside]
        click.echo("Events that could not be folded:")
        print_table(("Position", "Job", "Version", "Event", "Error"), rows_aside, "")
    return None


def _behind(positions: int) -> str:
    if positions <= 0:
        return "up to date"
    return f"{positions} position{'s' if positions > 1 else ''} behind"
