"""Fixtures: a real server on each database."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.server import Server

Make = Callable[..., Server]


@pytest.fixture
def make_server(tmp_path: Path) -> Iterator[Make]:
    """Make servers that are ended when the test ends."""
    made: list[Server] = []

    def make(database_url: str | None = None, *options: str) -> Server:
        home = tmp_path / f"server-{len(made)}"
        home.mkdir()
        server = Server(home, database_url, *options)
        made.append(server)
        return server

    yield make
    for server in made:
        server.kill()


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest) -> str | None:
    """An empty database of each kind; None is the server's own SQLite file."""
    if request.param == "sqlite":
        return None
    dsn: str = request.getfixturevalue("postgres_dsn")
    return dsn


@pytest.fixture
def server(make_server: Make, database_url: str | None) -> Server:
    """A running server on each database."""
    return make_server(database_url).start()
