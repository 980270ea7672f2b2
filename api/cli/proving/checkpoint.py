"""checkpoint: sign a checkpoint of the log; make and show the keys that sign it."""

from __future__ import annotations

from threading import Event
from time import monotonic

import click

from api.cli.terminal.opening import opened
from api.representations.checkpoint import signed
from api.wiring import Services
from domain.evidence.signing_keys import InvalidKey, PrivateKey
from domain.log.store import translated
from projections.tree.contract import TreeBroken
from projections.tree.grower import Grower

POLL_SECONDS = 0.05


@click.command()
@click.option(
    "--key", "show_key", is_flag=True, help="Print the public keys instead, for you to publish."
)
@click.option(
    "--new-key", metavar="NAME", help="Print a new private key instead, for a log of this name."
)
@click.option(
    "--wait",
    "seconds",
    type=click.FloatRange(0, 600),
    default=10,
    show_default=True,
    help="Seconds to wait while a running projector adds the newest events to the tree.",
)
def checkpoint(show_key: bool, new_key: str | None, seconds: float) -> None:
    """Print a signed checkpoint of the whole log.

    The checkpoint has the number of events, their root hash and the time. Keep it where people
    who can edit the database cannot edit it. `milepost verify --checkpoint` checks that the log
    still extends it.
    """
    if show_key and new_key is not None:
        raise click.UsageError("--key and --new-key exclude one another")
    if new_key is not None:
        return _print_new_key(new_key)
    with opened(with_key=True) as services:
        if not services.settings.signers:
            raise click.ClickException(_no_key())
        if show_key:
            for key in services.published():
                click.echo(str(key))
            return None
        try:
            _catch_up(services, seconds)
            root = services.evidence.root()
        except TreeBroken as error:
            raise click.ClickException(f"{error}; see milepost verify") from error
        click.echo(signed(services, root), nl=False)
        if root.position < (newest := services.read_model.log.newest_position()):
            click.echo(
                f"The checkpoint covers {root.size} events, up to position {root.position}; "
                f"the log is at {newest}.",
                err=True,
            )
    return None


def _print_new_key(name: str) -> None:
    try:
        key = PrivateKey.generate(name)
    except InvalidKey as error:
        raise click.UsageError(f"--new-key: {error}") from error
    click.echo(key.secret())
    click.echo(
        f"Keep the key secret, in MILEPOST_CHECKPOINT_KEY. Publish this one: {key.public}", err=True
    )


def _catch_up(services: Services, seconds: float) -> None:
    """Add the newest events to the tree, or wait until the running projector has added them."""
    deadline = monotonic() + seconds
    with translated():
        wanted = services.read_model.log.newest_position()
        with services.read_model.projector_lock() as wake_ups:
            if wake_ups:
                return Grower(services.tree).catch_up()
        while services.tree.head().position < wanted and monotonic() < deadline:
            if fault := services.evidence.growth().fault:
                raise TreeBroken(fault)
            Event().wait(POLL_SECONDS)
    return None


def _no_key() -> str:
    return (
        "no checkpoint key is configured; run this command where `milepost serve` runs, or set "
        "MILEPOST_CHECKPOINT_KEY (milepost checkpoint --new-key NAME makes a key)"
    )
