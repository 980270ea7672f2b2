"""How statements run: on the served tables, or on the tables of a rebuild."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, LiteralString

from psycopg.rows import DictRow

from domain.log.connections.postgres import PostgresDatastore
from domain.log.postgres import PostgresRecorder
from domain.log.reading.postgres import first_within_bytes
from projections.read_model.bounded import AnyRow
from projections.read_model.contract import SHAPE
from projections.read_model.tables import TABLES


class Statements:
    """Run statements on the served tables; with `rebuilt`, on the tables of a rebuild."""

    def __init__(
        self, recorder: PostgresRecorder, shape: LiteralString = SHAPE, *, rebuilt: bool = False
    ) -> None:
        self.shape: LiteralString = shape
        self.log = recorder
        self._datastore: PostgresDatastore = recorder.datastore
        self._on: Callable[[LiteralString], LiteralString] = TABLES.renamed if rebuilt else str

    def _first(
        self, row: Callable[..., AnyRow], statement: LiteralString, *parameters: Any
    ) -> list[AnyRow]:
        """Read rows of this kind with a statement of `within_bytes`."""
        return [
            row(*columns) for columns in self._datastore.tuples(self._on(statement), parameters)
        ]

    def _rows(self, statement: LiteralString, *parameters: Any) -> list[DictRow]:
        return self._datastore.rows(self._on(statement), parameters)


def within_bytes(
    rows: LiteralString, columns: LiteralString, order: LiteralString
) -> LiteralString:
    """Return a statement of these columns of another one, within the bound of `bounded.py`."""
    return first_within_bytes(rows, columns, "document", order)


def of_shape(statement: LiteralString, shape: LiteralString) -> LiteralString:
    """Return the statement for a release of this shape."""
    return statement.replace("{shape}", shape)
