"""The kit of a PostgreSQL database; its twin is `sqlite.py`."""

from __future__ import annotations

from typing import LiteralString

from api.databases.kit import Kit
from api.sessions.postgres import PostgresSessions
from api.tokens.postgres import PostgresTokens
from domain.log.postgres import PostgresRecorder
from domain.log.schema.postgres import PostgresSchema
from domain.log.surroundings.postgres import PostgresSurroundings
from projections.read_model.postgres.read_model import PostgresReadModel
from projections.rebuilding.postgres import PostgresShadow
from projections.tree.postgres import PostgresTree
from projections.verification.inspection.postgres import PostgresInspection


def kit(recorder: PostgresRecorder, shape: LiteralString) -> Kit:
    """Return the kit of this log's database; its rows have this shape."""
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
