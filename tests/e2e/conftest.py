"""Fixtures: a real server on each database."""

from __future__ import annotations

import pytest

from tests.support.processes.server import Make, Server


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
