"""Everything over one store, as the server wires it, and a clock that a test moves."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from shutil import copyfile
from typing import Any

import pytest
from eventsourcing.persistence import PersistenceError

from api.databases import kit_over
from api.databases.kit import Kit
from api.sessions.memory import MemorySessions
from api.tokens.memory import MemoryTokens
from domain.application import Milepost
from domain.log.memory import MemoryRecorder
from domain.log.schema.steps import Part, Schema, Step, Tables
from domain.log.surroundings.contract import NoSurroundings
from domain.workflows.definition import Workflows
from projections.projecting.projector import Projector
from projections.read_model.contract import SHAPE
from projections.read_model.memory import MemoryReadModel
from projections.reading.history import History
from projections.reading.reader import Reader
from projections.rebuilding.rebuild import Rebuild
from projections.tree.grower import Grower
from projections.tree.memory import MemoryTree

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
FILE = "test.db"


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self, now: datetime = NOON) -> None:
        self.now = now
        self._passed = 0.0

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> datetime:
        """Let time pass, and return the new time."""
        self._passed += seconds
        return self.set_by(seconds)

    def set_by(self, seconds: float) -> datetime:
        """Set the clock ahead or back without any time passing, and return the new time."""
        self.now += timedelta(seconds=seconds)
        return self.now

    def passed(self) -> float:
        """Return how many seconds really passed."""
        return self._passed


class Deployment:
    """Everything over one store, as the server wires it; the projector runs when told to.

    Where the database `has_tables`, none are looked for or made.
    """

    def __init__(
        self,
        env: dict[str, str],
        workflows: Workflows,
        clock: Clock,
        shape: str = SHAPE,
        *,
        has_tables: bool = False,
    ) -> None:
        self.env, self.workflows, self.clock = env, workflows, clock
        made_before = {"CREATE_TABLE": "no"} if has_tables else {}
        self.milepost = Milepost({**env, **made_before}, clock=clock, workflows=workflows)
        recorder = self.milepost.recorder
        if isinstance(recorder, MemoryRecorder):
            self.kit = in_memory(recorder, shape)
        else:
            self.kit = kit_over(recorder, shape)
        self.read_model, self.shadow = self.kit.read_model, self.kit.shadow
        self.tree, self.inspection = self.kit.tree, self.kit.inspection
        if not has_tables:
            self.kit.schema.apply()
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
    return Kit(
        NoTables(), rows, lacking, tree, lacking, MemoryTokens(), MemorySessions(), NoSurroundings()
    )


def prepared_env(kind: str, request: pytest.FixtureRequest) -> dict[str, str]:
    """Return the library's settings for a store of that kind whose tables are there, and empty."""
    if kind == "sqlite":
        folder: Path = request.getfixturevalue("store_folder")
        copyfile(request.getfixturevalue("prepared_file"), folder / FILE)
    return _env(kind, request, "prepared_dsn")


def store_env(kind: str, request: pytest.FixtureRequest) -> dict[str, str]:
    """Return the library's settings for a store of that kind without tables."""
    return _env(kind, request, "postgres_dsn")


def _env(kind: str, request: pytest.FixtureRequest, dsn: str) -> dict[str, str]:
    named = {"PERSISTENCE_MODULE": f"domain.log.{kind}"}
    match kind:
        case "sqlite":
            folder: Path = request.getfixturevalue("store_folder")
            return {**named, "SQLITE_DBNAME": str(folder / FILE)}
        case "postgres":
            return {**named, "DATABASE_URL": request.getfixturevalue(dsn)}
        case _:
            return named


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
