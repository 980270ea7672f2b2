"""Everything over one store, as the server wires it, and a clock that a test moves."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from domain.application import Milepost
from domain.workflows.definition import Workflows
from projections.projecting.projector import Projector
from projections.read_model.contract import SHAPE, ReadModel
from projections.read_model.memory import MemoryReadModel
from projections.read_model.postgres import PostgresReadModel
from projections.read_model.sqlite import SQLiteReadModel
from projections.reading.history import History
from projections.reading.reader import Reader
from projections.rebuilding.contract import Shadow
from projections.rebuilding.postgres import PostgresShadow
from projections.rebuilding.rebuild import Rebuild
from projections.rebuilding.sqlite import SQLiteShadow
from projections.tree.contract import TreeStore
from projections.tree.grower import Grower
from projections.tree.memory import MemoryTree
from projections.tree.postgres import PostgresTree
from projections.tree.sqlite import SQLiteTree
from projections.verification.inspection.contract import Inspection
from projections.verification.inspection.postgres import PostgresInspection
from projections.verification.inspection.sqlite import SQLiteInspection

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
        kind, recorder = env["PERSISTENCE_MODULE"], self.milepost.recorder
        self.read_model: ReadModel = READ_MODELS[kind](recorder, shape)
        self.shadow = SHADOWS[kind](recorder, shape)
        self.inspection = INSPECTIONS[kind](recorder)
        self.tree: TreeStore = TREES[kind](recorder)
        self.read_model.prepare()
        self.tree.prepare()
        self.reader = Reader(self.read_model, self.milepost.mapper)
        self.history = History(self.read_model, self.milepost.mapper)
        self.projector = Projector(
            self.milepost.store, self.read_model, self.milepost.mapper, workflows
        )
        self.rebuild = Rebuild(
            self.milepost.store,
            self.read_model,
            self.shadow,
            self.inspection,
            self.milepost.mapper,
            workflows,
        )

    def again(self, shape: str = SHAPE) -> Deployment:
        """Return what a second process over the same database has (not for memory).

        With another shape, it is one of another release.
        """
        return Deployment(self.env, self.workflows, self.clock, shape)

    def close(self) -> None:
        """Close the connections."""
        self.milepost.close()


READ_MODELS: dict[str, Callable[[Any, Any], ReadModel]] = {
    "domain.log.memory": MemoryReadModel,
    "domain.log.sqlite": SQLiteReadModel,
    "domain.log.postgres": PostgresReadModel,
}


TREES: dict[str, Callable[[Any], TreeStore]] = {
    "domain.log.memory": MemoryTree,
    "domain.log.sqlite": SQLiteTree,
    "domain.log.postgres": PostgresTree,
}


def no_shadow(*_: object) -> Any:
    """Return what nothing can be asked: rows in memory are never rebuilt."""


SHADOWS: dict[str, Callable[[Any, Any], Shadow]] = {
    "domain.log.memory": no_shadow,
    "domain.log.sqlite": SQLiteShadow,
    "domain.log.postgres": PostgresShadow,
}

INSPECTIONS: dict[str, Callable[[Any], Inspection]] = {
    "domain.log.memory": no_shadow,
    "domain.log.sqlite": SQLiteInspection,
    "domain.log.postgres": PostgresInspection,
}


def store_env(kind: str, request: pytest.FixtureRequest) -> dict[str, str]:
    """Return the library's settings for an empty store of that kind."""
    if kind == "memory":
        return {"PERSISTENCE_MODULE": "domain.log.memory"}
    if kind == "sqlite":
        folder: Path = request.getfixturevalue("tmp_path")
        return {"PERSISTENCE_MODULE": "domain.log.sqlite", "SQLITE_DBNAME": str(folder / "test.db")}
    dsn: str = request.getfixturevalue("postgres_dsn")
    return {"PERSISTENCE_MODULE": "domain.log.postgres", "DATABASE_URL": dsn}


def kind_of(deployment: Deployment) -> str:
    """Return `memory`, `sqlite` or `postgres`."""
    return deployment.env["PERSISTENCE_MODULE"].removeprefix("domain.log.")


def url_of(made: Deployment) -> str:
    """Return how a database is named in the settings."""
    if kind_of(made) == "sqlite":
        return f"sqlite:///{made.env['SQLITE_DBNAME']}"
    return made.env["DATABASE_URL"]


def settle(made: Deployment) -> None:
    """Let the read model and the tree catch up."""
    made.projector.catch_up()
    Grower(made.tree).catch_up()
