"""Databases: the parts for each kind of database. Only this module chooses between the twins."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import LiteralString

from eventsourcing.persistence import ApplicationRecorder

from api.databases import sqlite
from api.databases.kit import Kit
from api.settings.settings import Settings
from domain.log.connections.sqlite_copy import copy_database
from domain.log.sqlite import ONLY_LOOKS, SQLiteRecorder
from projections.read_model.contract import SHAPE


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
    if isinstance(recorder, SQLiteRecorder):
        return sqlite.kit(recorder, shape)
    # Loading PostgreSQL's driver takes 90 ms of CPU, and a process over SQLite never needs it.
    from api.databases import postgres
    from domain.log.postgres import PostgresRecorder

    if isinstance(recorder, PostgresRecorder):
        return postgres.kit(recorder, shape)
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
