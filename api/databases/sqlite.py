"""The kit of a SQLite file; its twin is `postgres.py`."""

from __future__ import annotations

from typing import LiteralString

from api.databases.kit import Kit
from api.sessions.sqlite import SQLiteSessions
from api.tokens.sqlite import SQLiteTokens
from domain.log.schema.sqlite import SQLiteSchema
from domain.log.sqlite import SQLiteRecorder
from domain.log.surroundings.contract import NoSurroundings
from projections.read_model.sqlite.read_model import SQLiteReadModel
from projections.rebuilding.sqlite import SQLiteShadow
from projections.tree.sqlite import SQLiteTree
from projections.verification.inspection.sqlite import SQLiteInspection


def kit(recorder: SQLiteRecorder, shape: LiteralString) -> Kit:
    """Return the kit of this log's database; its rows have this shape."""
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
