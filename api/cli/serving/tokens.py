"""tokens: make, list and revoke access tokens."""

from __future__ import annotations

from datetime import datetime, timedelta

import click

from api import tokens as access
from api.cli.terminal.opening import opened
from api.cli.terminal.options import Lifetime
from api.cli.terminal.output import as_json, print_json
from api.cli.terminal.tables import print_table
from api.schemas.ids import MAX_ID, is_printable
from api.tokens import SCOPES, Scope, stored_time

HEADINGS = ("Id", "Name", "Scopes", "User", "Created", "Expires", "Last used", "Revoked")


@click.group()
def tokens() -> None:
    """Make, list and revoke access tokens."""


@tokens.command()
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=click.Choice(SCOPES),
    default=("read",),
    show_default=True,
    help="A scope that the token grants; repeat the option for several scopes.",
)
@click.option(
    "--user",
    "user_id",
    help="Bind the token to this user: it sees only the user's agents and jobs.",
)
@click.option(
    "--expires",
    "lifetime",
    type=Lifetime(),
    help="When the token ends: after 90d or 12h, or at a date or time like 2026-12-31.",
)
@as_json
def create(
    name: str,
    scopes: tuple[Scope, ...],
    user_id: str | None,
    lifetime: timedelta | datetime | None,
    as_json: bool,
) -> None:
    """Make a token with this NAME and print it. It cannot be printed again.

    A date means its beginning, in UTC.
    """
    for what, given in (("NAME", name), ("--user", user_id)):
        if given is not None and not (0 < len(given) <= MAX_ID and is_printable(given)):
            raise click.UsageError(f"{what} must have 1 to {MAX_ID} printable characters")
    if user_id is not None and "admin" in scopes:
        raise click.UsageError("an admin token cannot be bound to a user")
    with opened() as services:
        now = services.clock()
        expires_at = now + lifetime if isinstance(lifetime, timedelta) else lifetime
        if expires_at is not None and expires_at <= now:
            raise click.UsageError(f"--expires must be later than now, {stored_time(now)}")
        token, text = access.create(services.tokens, name, set(scopes), user_id, now, expires_at)
    if as_json:
        return print_json(
            {
                "id": token.id,
                "name": name,
                "scopes": sorted(set(scopes)),
                "expires_at": token.expires_at,
                "token": text,
            }
        )
    click.echo(text)
    click.echo(
        f"Keep it: Milepost stores only its hash. milepost tokens revoke {token.id} revokes it.",
        err=True,
    )
    return None


@tokens.command("list")
@as_json
def list_tokens(as_json: bool) -> None:
    """List the tokens without their secrets."""
    with opened(only_looks=True) as services:
        stored = services.tokens.all()
    if as_json:
        for token in stored:
            print_json(
                {
                    "id": token.id,
                    "name": token.name,
                    "scopes": token.scopes.split(),
                    "user_id": token.user_id,
                    "created_at": token.created_at,
                    "expires_at": token.expires_at,
                    "last_used_at": token.last_used_at,
                    "revoked_at": token.revoked_at,
                }
            )
        return
    rows = [
        (
            t.id,
            t.name,
            t.scopes,
            t.user_id,
            t.created_at,
            t.expires_at,
            t.last_used_at,
            t.revoked_at,
        )
        for t in stored
    ]
    print_table(HEADINGS, rows, "No tokens.")


@tokens.command()
@click.argument("token_id")
def revoke(token_id: str) -> None:
    """Revoke the token with this id for ever. Servers accept it for at most 5 seconds more."""
    with opened() as services:
        revoked = services.tokens.revoke(token_id, services.clock().isoformat(timespec="seconds"))
    if not revoked:
        raise click.ClickException(f"there is no valid token with the id {token_id!r}")
    click.echo(f"Token {token_id} is revoked.")
