"""How statements run: on the served tables, or on the tables of a rebuild."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, LiteralString

from domain.log.connections.sqlite import SQLiteDatastore
from domain.log.sqlite import SQLiteRecorder
from projections.read_model.bounded import AnyRow, within_bytes
from projections.read_model.contract import SHAPE
from projections.read_model.tables import TABLES


class Statements:
    """Run statements on the served tables; with `rebuilt`, on the tables of a rebuild."""

    def __init__(
        self, recorder: SQLiteRecorder, shape: LiteralString = SHAPE, *, rebuilt: bool = False
    ) -> None:
        self.shape: LiteralString = shape
        self.log = recorder
        self._datastore: SQLiteDatastore = recorder.datastore
        self._on: Callable[[LiteralString], LiteralString] = TABLES.renamed if rebuilt else str

    def _first(self, row: Callable[..., AnyRow], statement: str, *parameters: Any) -> list[AnyRow]:
        """Read rows of this kind within the bound of `bounded.py`; read none after it."""
        with self._datastore.reading() as cursor:
            found = cursor.execute(self._on(statement), parameters)
            return within_bytes(row(*columns) for columns in found)

    def _rows(self, statement: LiteralString, *parameters: Any) -> list[Any]:
        with self._datastore.reading() as cursor:
            return cursor.execute(self._on(statement), parameters).fetchall()
