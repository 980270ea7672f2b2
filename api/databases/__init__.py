"""Databases: the parts for each kind of database. Only this module chooses between the twins."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, LiteralString

import msgspec
from eventsourcing.persistence import ApplicationRecorder

from api.sessions import SessionStore
from api.sessions.postgres import PostgresSessions
from api.sessions.sqlite import SQLiteSessions
from api.settings.settings import Settings
from api.tokens import TokenStore
from api.tokens.postgres import PostgresTokens
from api.tokens.sqlite import SQLiteTokens
from domain.log.connections.sqlite_copy import copy_database
from domain.log.postgres import PostgresRecorder
from domain.log.schema.postgres import PostgresSchema
from domain.log.schema.sqlite import SQLiteSchema
from domain.log.schema.steps import Schema
from domain.log.sqlite import ONLY_LOOKS, SQLiteRecorder
from domain.log.surroundings.contract import NoSurroundings, Surroundings
from domain.log.surroundings.postgres import PostgresSurroundings
from projections.read_model.contract import SHAPE, ReadModel
from projections.read_model.postgres.read_model import PostgresReadModel
from projections.read_model.sqlite.read_model import SQLiteReadModel
from projections.rebuilding.contract import Shadow
from projections.rebuilding.postgres import PostgresShadow
from projections.rebuilding.sqlite import SQLiteShadow
from projections.tree.contract import TreeStore
from projections.tree.postgres import PostgresTree
from projections.tree.sqlite import SQLiteTree
from projections.verification.inspection.contract import Inspection
from projections.verification.inspection.postgres import PostgresInspection
from projections.verification.inspection.sqlite import SQLiteInspection


class Kit(msgspec.Struct, frozen=True):
    """Everything that Milepost stores in the database of one log, beside the log itself."""

    schema: Schema[Any]
    read_model: ReadModel
    shadow: Shadow
    tree: TreeStore
    inspection: Inspection
    tokens: TokenStore
    sessions: SessionStore
    surroundings: Surroundings


def log_in(settings: Settings, *, only_looks: bool = False) -> dict[str, str]:
    """Return the eventsourcing library's settings for the log in the configured database.

    With `only_looks`, nothing is written: so a SQLite file may be in a read-only folder.
    """
    if settings.database == "sqlite":
        return {
            "PERSISTENCE_MODULE": "domain.log.sqlite",
            "SQLITE_DBNAME": str(settings.sqlite_file),
            ONLY_LOOKS: "yes" if only_looks else "no",
        }
    return {
        "PERSISTENCE_MODULE": "domain.log.postgres",
        "DATABASE_URL": settings.database_url,
        "DATABASE_CONNECTIONS": str(settings.database_connections),
    }


def kit_over(recorder: ApplicationRecorder, shape: LiteralString = SHAPE) -> Kit:
    """Return the kit of this log's database; its rows have this shape.

    Raises `TypeError` for a recorder of another kind of database.
    """
    match recorder:
        case SQLiteRecorder():
            return Kit(
                SQLiteSchema(
                    recorder.datastore,
                    SQLiteRecorder.part,
                    SQLiteReadModel.part,
                    SQLiteTree.part,
                    SQLiteTokens.part,
                    SQLiteSessions.part,
                ),
                SQLiteReadModel(recorder, shape),
                SQLiteShadow(recorder, shape),
                SQLiteTree(recorder),
                SQLiteInspection(recorder),
                SQLiteTokens(recorder.datastore),
                SQLiteSessions(recorder.datastore),
                NoSurroundings(),
            )
        case PostgresRecorder():
            return Kit(
                PostgresSchema(
                    recorder.datastore,
                    PostgresRecorder.part,
                    PostgresReadModel.part,
                    PostgresTree.part,
                    PostgresTokens.part,
                    PostgresSessions.part,
                ),
                PostgresReadModel(recorder, shape),
                PostgresShadow(recorder, shape),
                PostgresTree(recorder),
                PostgresInspection(recorder),
                PostgresTokens(recorder.datastore),
                PostgresSessions(recorder.datastore),
                PostgresSurroundings(recorder.datastore),
            )
        case _:
            raise TypeError(f"There is no kit for {type(recorder).__name__}.")


def copied_to(
    recorder: ApplicationRecorder, target: Path, reached: Callable[[int, int], object]
) -> None:
    """Copy the database of this log to an empty file; raise `TypeError` for one without a file.

    Raises `NotCopied`, and the library's `PersistenceError`.
    """
    if not isinstance(recorder, SQLiteRecorder):
        raise TypeError(f"{type(recorder).__name__} has no file to copy")
    copy_database(recorder.datastore, target, reached)
