"""checkpoint: sign how far the log goes, and make and show the keys for it."""

from __future__ import annotations

from threading import Event
from time import monotonic

import click

from api.cli.terminal.output import opened
from api.representations.checkpoint import signed
from api.settings.config import from_environment
from api.settings.credentials import with_kept_checkpoint_key
from api.wiring import Services
from domain.evidence.signing_keys import InvalidKey, PrivateKey
from domain.log.store import translated
from projections.tree.contract import TreeBroken
from projections.tree.grower import Grower

POLL_SECONDS = 0.05


@click.command()
@click.option("--key", "show_key", is_flag=True, help="Print the public keys instead, to publish.")
@click.option(
    "--new-key", metavar="NAME", help="Print a new private key instead, for a log of this name."
)
@click.option(
    "--wait",
    "seconds",
    type=click.FloatRange(0, 600),
    default=10,
    show_default=True,
    help="How long to wait for a running projector to hash what the log has now.",
)
def checkpoint(show_key: bool, new_key: str | None, seconds: float) -> None:
    """Print a signed checkpoint of the whole log.

    It says how many events there were, what their root hash was, and when that was. Keep it where
    nobody who can edit the database can edit it too; `milepost verify --checkpoint` holds the log
    against it.
    """
    if show_key and new_key is not None:
        raise click.UsageError("--key and --new-key exclude one another")
    if new_key is not None:
        return _print_new_key(new_key)
    if show_key:
        settings = with_kept_checkpoint_key(from_environment())
        if not settings.signers:
            raise click.ClickException(_no_key())
        for key in settings.signers:
            click.echo(str(key.public))
        return None
    with opened(only_if_there=True, with_key=True) as here:
        if not here.settings.signers:
            raise click.ClickException(_no_key())
        try:
            _catch_up(here, seconds)
            root = here.evidence.root()
        except TreeBroken as error:
            raise click.ClickException(f"{error}; see milepost verify") from error
        click.echo(signed(here, root), nl=False)
        if root.position < (newest := here.read_model.log.newest_position()):
            click.echo(
                f"It covers {root.size} events, up to position {root.position}; "
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
    click.echo(f"Keep it secret: MILEPOST_CHECKPOINT_KEY. To publish: {key.public}", err=True)


def _catch_up(here: Services, seconds: float) -> None:
    """Bring the tree up to what the log has now, or wait for the projector that does."""
    deadline = monotonic() + seconds
    with translated():
        wanted = here.read_model.log.newest_position()
        with here.read_model.projector_lock() as wake_ups:
            if wake_ups:
                return Grower(here.tree).catch_up()
        while here.tree.head().position < wanted and monotonic() < deadline:
            if fault := here.evidence.growth().fault:
                raise TreeBroken(fault)
            Event().wait(POLL_SECONDS)
    return None


def _no_key() -> str:
    return (
        "there is no checkpoint key here; run this where `milepost serve` runs, or set "
        "MILEPOST_CHECKPOINT_KEY (milepost checkpoint --new-key NAME makes one)"
    )
