"""losses: the lost ends of the log, and their acknowledgement."""

from __future__ import annotations

import click

from api.cli.terminal.opening import opened
from api.cli.terminal.output import as_json, counted, print_json
from api.cli.terminal.tables import print_table
from domain.log.store import translated


@click.group()
def losses() -> None:
    """List the ends that the log has lost, and acknowledge them."""


@losses.command("list")
@as_json
def list_(as_json: bool) -> None:
    """List the ends that the log has lost.

    They are events that were seen, and are not in the log any more. That happens after a failover
    to a standby that was behind, or after the restore of a backup.
    """
    with opened(only_looks=True) as services, translated():
        found = services.milepost.store.losses()
    if as_json:
        return print_json(found)
    rows = (
        (
            f"{loss.noticed_at:%Y-%m-%d %H:%M:%S}",
            loss.position,
            loss.job_id,
            loss.version,
            loss.agreed_position,
            f"{loss.agreed_at:%Y-%m-%d %H:%M:%S}" if loss.agreed_at else "",
            f"{loss.acknowledged_at:%Y-%m-%d %H:%M:%S}" if loss.acknowledged_at else "no",
            loss.reason or "",
        )
        for loss in found
    )
    headings = ("Noticed (UTC)", "Lost", "Job", "Version", "Whole up to", "Seen (UTC)")
    print_table((*headings, "Acknowledged", "Reason"), rows, "The log has lost no end.")
    return None


@losses.command()
@click.option("--reason", help="Why the end was lost, and what became of it.")
def acknowledge(reason: str | None) -> None:
    """Say that you know of the lost ends, and have done what is to be done.

    `/readyz`, `milepost status` and the metrics then tell no more of them. They stay in the list.
    """
    with opened() as services:
        # A loss that no server has noticed yet is in this home's memory.
        services.milepost.end.look()
        store = services.milepost.store
        with translated():
            count = store.acknowledge_losses(store.now(), reason)
    if not count:
        raise click.ClickException("no lost end of the log waits for you")
    click.echo(f"Acknowledged {counted(count, 'lost end')} of the log.")
