"""Fixtures: the web application over a store, spoken to as workflows, pages and people do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from urllib.parse import quote
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql

from api.http.problems.documents import STRANGERS
from api.routes.callbacks.receiving import SENDERS
from tests.support.stores.deployment import Deployment
from tests.support.stores.postgres_server import create_database
from tests.support.web.doors import opened
from tests.support.web.front import FrontDoor
from tests.support.web.site import Site


@pytest.fixture(autouse=True)
def first_minute() -> None:
    """Log what others cause as a process does that has just started."""
    STRANGERS.forget()
    SENDERS.forget()


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


@pytest.fixture(scope="session")
def front_door() -> Iterator[FrontDoor]:
    """One server for all tests of a session."""
    with FrontDoor().serving() as door:
        yield door


@pytest.fixture
def door() -> FrontDoor | None:
    """The door of the sites: None for Flask's; folders about HTTP run their tests at each."""
    return None


@pytest.fixture
def site(stores: Deployment, door: FrontDoor | None) -> Iterator[Site]:
    """The application on each store in turn."""
    yield from opened(stores, door)


@pytest.fixture
def site_with(
    stores: Deployment, door: FrontDoor | None
) -> Callable[..., AbstractContextManager[Site]]:
    """Open the application with other settings, on each store in turn."""
    return partial(contextmanager(opened), stores, door)


@pytest.fixture
def memory_site(memory: Deployment, door: FrontDoor | None) -> Iterator[Site]:
    """The application in memory, for what no store has a part in."""
    yield from opened(memory, door)


@pytest.fixture
def database_site(databases: Deployment, door: FrontDoor | None) -> Iterator[Site]:
    """The application on each database in turn."""
    yield from opened(databases, door)


@pytest.fixture
def proxied_site(memory: Deployment, door: FrontDoor | None) -> Iterator[Site]:
    """The application in memory, which takes its client for a trusted proxy."""
    yield from opened(memory, door, trusted_proxies=["127.0.0.1"])
