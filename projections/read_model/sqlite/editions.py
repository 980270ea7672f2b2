"""The identity of the rows, and the position up to which they are folded."""

from __future__ import annotations

import sqlite3
from typing import LiteralString

from projections.read_model.contract import PositionGone
from projections.read_model.rows import Edition
from projections.read_model.sqlite.statements import Statements
from projections.read_model.tables import TABLES

BEGIN_EDITION: LiteralString = """
    INSERT INTO milepost_read_model
    SELECT 'served', ?, 0, COALESCE(MAX(generation) + 1, 0) FROM milepost_read_model WHERE TRUE
    ON CONFLICT (tables) DO NOTHING
"""
SELECT_EDITION: LiteralString = """
    SELECT shape, position, generation FROM milepost_read_model WHERE tables = 'served'
"""


class Editions(Statements):
    """The position of the rows, and which rows they are."""

    def prepare(self) -> None:
        """See `ReadModel.prepare`."""
        if not self._rows(SELECT_EDITION):
            with self._datastore.writing() as cursor:
                cursor.execute(BEGIN_EDITION, (self.shape,))

    def edition(self) -> Edition:
        """See `ReadModel.edition`."""
        edition = self._edition()
        return Edition(edition["shape"], edition["generation"])

    def rebuilt_position(self) -> int | None:
        """See `ReadModel.rebuilt_position`."""
        rows = self._rows(TABLES.renamed(SELECT_EDITION))
        return rows[0]["position"] if rows else None

    def position(self) -> int:
        """See `ReadModel.position`."""
        return int(self._edition()["position"])

    def _edition(self) -> sqlite3.Row:
        rows: list[sqlite3.Row] = self._rows(SELECT_EDITION)
        if not rows:
            raise PositionGone
        return rows[0]
