"""Fixtures: every store for real. `stores` runs a test on memory, SQLite and PostgreSQL."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from eventsourcing.persistence import PersistenceError

from api.databases import Kit, kit_over
from api.tokens.memory import MemoryTokens
from domain.application import Milepost
from domain.log.memory import MemoryRecorder
from domain.log.schema.steps import Part, Schema, Step, Tables
from domain.workflows.definition import Workflows
from domain.workflows.files import load
from projections.projecting.projector import Projector
from projections.read_model.contract import SHAPE
from projections.read_model.memory import MemoryReadModel
from projections.reading.history import History
from projections.reading.reader import Reader
from projections.rebuilding.rebuild import Rebuild
from projections.tree.memory import MemoryTree
from tests.support.postgres_server import PostgresServer, create_database

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self, now: datetime = NOON) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> datetime:
        """Move on, and return the new time."""
        self.now += timedelta(seconds=seconds)
        return self.now


class Deployment:
    """Everything over one store, as the server wires it; the projector runs when told to."""

    def __init__(
        self, env: dict[str, str], workflows: Workflows, clock: Clock, shape: str = SHAPE
    ) -> None:
        self.env, self.workflows, self.clock = env, workflows, clock
        self.milepost = Milepost(env, clock=clock)
        recorder = self.milepost.recorder
        if isinstance(recorder, MemoryRecorder):
            self.kit = in_memory(recorder, shape)
        else:
            self.kit = kit_over(recorder, shape)
        self.read_model, self.shadow, self.tree = (
            self.kit.read_model,
            self.kit.shadow,
            self.kit.tree,
        )
        self.kit.schema.apply()
        self.read_model.prepare()
        self.tree.prepare()
        self.reader = Reader(self.read_model, self.milepost.mapper)
        self.history = History(self.read_model, self.milepost.mapper)
        self.projector = Projector(
            self.milepost.store, self.read_model, self.milepost.mapper, workflows
        )
        self.rebuild = Rebuild(
            self.milepost.store, self.read_model, self.shadow, self.milepost.mapper, workflows
        )

    def again(self, shape: str = SHAPE) -> Deployment:
        """Return what a second process over the same database has (not for memory).

        With another shape, it is one of another release.
        """
        return Deployment(self.env, self.workflows, self.clock, shape)

    def close(self) -> None:
        """Close the connections."""
        self.milepost.close()


class NoTables(Schema[None]):
    """The schema of what is in memory: no part, and so no step."""

    def _tables(self) -> Tables:
        return Tables(frozenset(), frozenset())

    def _apply(self, part: Part[None], step: Step[None]) -> Tables:
        raise AssertionError(f"memory needs no {step}")

    def _forbids(self, error: PersistenceError) -> bool:
        return False


def in_memory(recorder: MemoryRecorder, shape: str) -> Kit:
    """Return a kit without what memory lacks: its rows are never rebuilt, its tables not edited."""
    lacking: Any = None
    rows, tree = MemoryReadModel(recorder, shape), MemoryTree(recorder)
    return Kit(NoTables(), rows, lacking, tree, lacking, MemoryTokens())


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest: they wait for processes, and others can use the cores meanwhile."""
    items.sort(key=lambda item: ("test_crashes" not in item.nodeid, "e2e" not in item.nodeid))


@pytest.fixture
def clock() -> Clock:
    """A clock at noon."""
    return Clock()


@pytest.fixture(scope="session")
def workflows() -> Workflows:
    """The shipped definitions."""
    return load()


@pytest.fixture(scope="session")
def postgres_server_dsn() -> Iterator[str]:
    """The server named by MILEPOST_TEST_DATABASE_URL, or one that this session starts."""
    if given := os.environ.get("MILEPOST_TEST_DATABASE_URL"):
        yield given
        return
    server = PostgresServer()
    try:
        server.start()
        yield server.dsn
    finally:
        server.remove()


@pytest.fixture
def postgres_dsn(postgres_server_dsn: str) -> str:
    """An empty PostgreSQL database."""
    return create_database(postgres_server_dsn)


def store_env(kind: str, request: pytest.FixtureRequest) -> dict[str, str]:
    """Return the library's settings for an empty store of that kind."""
    if kind == "memory":
        return {"PERSISTENCE_MODULE": "domain.log.memory"}
    if kind == "sqlite":
        folder: Path = request.getfixturevalue("tmp_path")
        return {"PERSISTENCE_MODULE": "domain.log.sqlite", "SQLITE_DBNAME": str(folder / "test.db")}
    dsn: str = request.getfixturevalue("postgres_dsn")
    return {"PERSISTENCE_MODULE": "domain.log.postgres", "DATABASE_URL": dsn}


def deployment(
    kind: str, request: pytest.FixtureRequest, workflows: Workflows, clock: Clock
) -> Iterator[Deployment]:
    """Yield a deployment on an empty store of that kind, and close it."""
    made = Deployment(store_env(kind, request), workflows, clock)
    try:
        yield made
    finally:
        made.close()


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def stores(
    request: pytest.FixtureRequest, workflows: Workflows, clock: Clock
) -> Iterator[Deployment]:
    """A deployment on each store in turn."""
    yield from deployment(request.param, request, workflows, clock)


@pytest.fixture(params=["sqlite", "postgres"])
def databases(
    request: pytest.FixtureRequest, workflows: Workflows, clock: Clock
) -> Iterator[Deployment]:
    """A deployment on each store that outlives its process."""
    yield from deployment(request.param, request, workflows, clock)


@pytest.fixture
def memory(
    request: pytest.FixtureRequest, workflows: Workflows, clock: Clock
) -> Iterator[Deployment]:
    """A deployment in memory."""
    yield from deployment("memory", request, workflows, clock)


@pytest.fixture
def sqlite(
    request: pytest.FixtureRequest, workflows: Workflows, clock: Clock
) -> Iterator[Deployment]:
    """A deployment on a SQLite file."""
    yield from deployment("sqlite", request, workflows, clock)


@pytest.fixture
def postgres(
    request: pytest.FixtureRequest, workflows: Workflows, clock: Clock
) -> Iterator[Deployment]:
    """A deployment on a PostgreSQL database."""
    yield from deployment("postgres", request, workflows, clock)
