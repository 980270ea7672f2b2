"""`python -m tests.drill fuzz`: random requests to a server on each database."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import click

from tests.drill.fuzzing.run import fuzz_in_sight
from tests.support.processes.server import Server
from tests.support.stores.postgres_server import PostgresServer, create_database

KINDS: Final = ("sqlite", "postgres")


@click.command()
@click.option("--examples", default=2_000, show_default=True, help="Requests to each operation.")
@click.option("--seed", default=0, show_default=True)
@click.option(
    "--database",
    "kinds",
    type=click.Choice(KINDS),
    multiple=True,
    default=KINDS,
    show_default=True,
    help="What the server stores in; may be repeated.",
)
def fuzz(examples: int, seed: int, kinds: tuple[str, ...]) -> None:
    """Send random requests after the OpenAPI document, on SQLite and on PostgreSQL.

    Shows the progress, and each answer that is not as documented. The exit status is 1 if there is
    one.
    """
    is_as_documented = True
    with ExitStack() as stack:
        home = Path(stack.enter_context(TemporaryDirectory(prefix="mp-fuzz-")))
        for kind in kinds:
            folder = home / kind
            folder.mkdir()
            server = Server(folder, _postgres(stack) if kind == "postgres" else None)
            stack.callback(server.kill)
            click.echo(f"On {kind}:")
            if not fuzz_in_sight(server.start(), examples, seed):
                is_as_documented = False
            server.kill()
    sys.exit(not is_as_documented)


def _postgres(stack: ExitStack) -> str:
    """Start a PostgreSQL until the stack is left, and return the URL of an empty database."""
    server = PostgresServer()
    stack.callback(server.remove)
    server.start()
    return create_database(server.dsn)
