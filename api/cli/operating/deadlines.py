"""deadlines: end a hold of timeouts."""

from __future__ import annotations

import click

from api.cli.terminal.opening import opened


@click.group()
def deadlines() -> None:
    """Say how timeouts go on."""


@deadlines.command()
def resume() -> None:
    """Let the jobs time out that fell silent at once, because it is not Milepost's fault.

    `milepost status` shows whether timeouts wait. They go on within seconds.
    """
    with opened() as services:
        hold = services.deadlines().held.hold
        if hold is None:
            raise click.ClickException("no timeouts wait for you")
        services.resume_deadlines()
    click.echo(f"Timeouts go on: {hold.silent:,} of {hold.of:,} jobs had fallen silent at once.")
