"""status: the positions of log, read model and tree, and the number of jobs."""

from __future__ import annotations

import click

from api.cli.terminal.opening import opened
from api.cli.terminal.output import as_json, counted, print_json
from api.cli.terminal.tables import print_table, status_text
from domain.unseen import visible


@click.command()
@as_json
def status(as_json: bool) -> None:
    """Show how far log, read model and tree are, and count the jobs."""
    with opened(only_looks=True) as services:
        projection, counts = services.reader.status(), dict(services.reader.counts())
        growth = services.evidence.growth()
        lost_ends = services.lost_ends()
        deadlines = services.deadlines().sentence(services.milepost.store.now())
        warnings = services.warnings()
        database, shape = services.settings.shown_database, services.read_model.shape
    if as_json:
        return print_json(
            {
                "database": database,
                "log_position": projection.log_position,
                "read_model_position": projection.read_model_position,
                "lag_events": projection.lag_events,
                "lost_ends": lost_ends,
                "shape": projection.shape,
                "rebuild_position": projection.rebuilt_position,
                "tree_size": growth.size,
                "tree_position": growth.position,
                "tree_lag_events": growth.lag(projection.log_position),
                "tree_fault": growth.fault,
                "deadlines": deadlines or "watched",
                "warnings": warnings,
                "jobs": counts,
                "set_aside": projection.set_aside,
            }
        )
    click.echo(f"Database     {database}")
    click.echo(f"Log          position {projection.log_position}")
    for loss in lost_ends:
        click.echo(f"             lost its end: {loss.sentence()}; see milepost losses list")
    click.echo(f"Read model   {_behind(projection.lag_events)}")
    if projection.shape != shape:
        click.echo(f"             with shape {projection.shape}; this release writes shape {shape}")
    if projection.rebuilt_position is not None:
        click.echo(
            f"Rebuild      at position {projection.rebuilt_position}, running or interrupted"
        )
    behind = _behind(growth.lag(projection.log_position))
    click.echo(f"Tree         {counted(growth.size, 'event')}, {growth.fault or behind}")
    if deadlines:
        click.echo(f"Deadlines    {deadlines}")
    for warning in warnings:
        click.echo(f"Warning      {visible(warning)}")
    rows = [(status_text(name), count) for name, count in sorted(counts.items())]
    print_table(("Status", "Jobs"), rows, "Jobs         none yet")
    if projection.set_aside:
        rows_aside = [
            (e.position, e.job_id, e.version, e.topic, e.error) for e in projection.set_aside
        ]
        click.echo("Events that could not be folded:")
        print_table(("Position", "Job", "Version", "Event", "Error"), rows_aside, "")
    return None


def _behind(positions: int) -> str:
    if positions <= 0:
        return "up to date"
    return f"{counted(positions, 'position')} behind"
