"""`python -m tests.drill fuzz`: random requests to a server on each database."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from tests.drill.fuzzing.run import fuzz as fuzzed
from tests.support.processes.server import Server
from tests.support.stores.postgres_server import PostgresServer, create_database


@click.command()
@click.option("--examples", default=2_000, show_default=True, help="Requests to each operation.")
@click.option("--seed", default=0, show_default=True)
def fuzz(examples: int, seed: int) -> None:
    """Send random requests after the OpenAPI document, on SQLite and on PostgreSQL.

    Prints each answer that is not as documented. The exit status is 1 if there is one.
    """
    is_as_documented = True
    with ExitStack() as stack:
        home = Path(stack.enter_context(TemporaryDirectory(prefix="mp-fuzz-")))
        postgres = PostgresServer()
        stack.callback(postgres.remove)
        postgres.start()
        for kind, url in (("sqlite", None), ("postgres", create_database(postgres.dsn))):
            folder = home / kind
            folder.mkdir()
            server = Server(folder, url)
            stack.callback(server.kill)
            found = fuzzed(server.start(), examples, seed)
            server.kill()
            click.echo(f"{kind}: {found or 'every answer was as documented.'}")
            is_as_documented = is_as_documented and found is None
    sys.exit(not is_as_documented)
