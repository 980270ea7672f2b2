"""Fixtures: the web application over a store, spoken to as workflows, pages and people do."""

from __future__ import annotations

from urllib.parse import quote
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql

from tests.support.deployment import Deployment
from tests.support.postgres_server import create_database
from tests.support.site import Site


@pytest.fixture(scope="session")
def shared_database(postgres_server_dsn: str) -> str:
    """One database for all tests of a session."""
    return create_database(postgres_server_dsn)


@pytest.fixture
def postgres_dsn(shared_database: str) -> str:
    """An empty schema, made a hundred times sooner than a database, that waits for no disk."""
    schema = f"site_{uuid4().hex}"
    with psycopg.connect(shared_database, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(schema)))
    separator = "&" if "?" in shared_database else "?"
    options = f"-csearch_path={schema} -csynchronous_commit=off"
    return f"{shared_database}{separator}options={quote(options)}"


@pytest.fixture
def site(stores: Deployment) -> Site:
    """The application on each store in turn."""
    return Site(stores)


@pytest.fixture
def memory_site(memory: Deployment) -> Site:
    """The application in memory, for what no store has a part in."""
    return Site(memory)


@pytest.fixture
def database_site(databases: Deployment) -> Site:
    """The application on each database in turn."""
    return Site(databases)
