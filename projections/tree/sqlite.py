"""The tree in the SQLite file of the events; its twin is `postgres.py`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, LiteralString

import msgspec

from domain.evidence.merkle import HASH_BYTES
from domain.log.connections.sqlite import SQLiteDatastore
from domain.log.parameters import as_json
from domain.log.schema.sqlite import SQLitePart
from domain.log.schema.steps import Part, Step, each
from domain.log.sqlite import SQLiteRecorder
from projections.tree.contract import Grown, Head, Tile, TileId, TreeBroken, TreeMoved, new_origin

CREATE: tuple[LiteralString, ...] = (
    """CREATE TABLE IF NOT EXISTS milepost_tree (
         level INTEGER NOT NULL,
         tile INTEGER NOT NULL,
         hashes BLOB NOT NULL,
         positions BLOB NOT NULL,
         first_position INTEGER,
         last_position INTEGER,
         PRIMARY KEY (level, tile))""",
    """CREATE INDEX IF NOT EXISTS milepost_tree_position
         ON milepost_tree (last_position) WHERE level = 0""",
    """CREATE TABLE IF NOT EXISTS milepost_tree_head (
         size INTEGER NOT NULL, position INTEGER NOT NULL)""",
)
# One row at most, and it never changes.
CREATE_ORIGIN = """
    CREATE TABLE IF NOT EXISTS milepost_tree_origin (
      only_row INTEGER PRIMARY KEY CHECK (only_row = 1), origin TEXT NOT NULL)
"""
PART: SQLitePart = Part(
    "tree",
    (
        Step(1, ("milepost_tree", "milepost_tree_head"), each(*CREATE)),
        Step(2, ("milepost_tree_origin",), each(CREATE_ORIGIN)),
    ),
)
# A lost head stays lost while tiles exist: a new head of size 0 would begin another tree.
BEGIN = """
    INSERT INTO milepost_tree_head SELECT 0, 0
     WHERE NOT EXISTS (SELECT 1 FROM milepost_tree_head)
       AND NOT EXISTS (SELECT 1 FROM milepost_tree)
"""
NAME = "INSERT INTO milepost_tree_origin VALUES (1, ?) ON CONFLICT DO NOTHING"
SELECT_ORIGIN = "SELECT origin FROM milepost_tree_origin"
SELECT_HEAD = "SELECT size, position FROM milepost_tree_head"
SELECT_TILES = """
    SELECT t.level, t.tile, CAST(t.hashes AS BLOB), CAST(t.positions AS BLOB)
      FROM json_each(?) AS wanted
      JOIN milepost_tree AS t
        ON t.level = json_extract(wanted.value, '$[0]')
       AND t.tile = json_extract(wanted.value, '$[1]')
"""
SELECT_TILE_OF = """
    SELECT level, tile, CAST(hashes AS BLOB), CAST(positions AS BLOB) FROM milepost_tree
     WHERE level = 0 AND last_position >= ? ORDER BY last_position LIMIT 1
"""
MOVE = "UPDATE milepost_tree_head SET size = ?, position = ? WHERE size = ? AND position = ?"
INSERT_TILE = "INSERT INTO milepost_tree VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
GROW_TILE = """
    UPDATE milepost_tree SET hashes = ?, positions = ?, first_position = ?, last_position = ?
     WHERE level = ? AND tile = ? AND length(hashes) = ?
"""


class SQLiteTree:
    """Store tiles beside the events."""

    part: ClassVar = PART

    def __init__(self, recorder: SQLiteRecorder) -> None:
        self.log = recorder
        self._datastore: SQLiteDatastore = recorder.datastore

    def prepare(self) -> None:
        """See `TreeStore.prepare`."""
        if not self._rows(SELECT_HEAD) or self.origin() is None:
            with self._datastore.writing() as cursor:
                cursor.execute(BEGIN)
                cursor.execute(NAME, (new_origin(),))

    def origin(self) -> str | None:
        """See `TreeStore.origin`."""
        rows = self._rows(SELECT_ORIGIN)
        return str(rows[0][0]) if rows else None

    def head(self) -> Head:
        """See `TreeStore.head`."""
        rows = self._rows(SELECT_HEAD)
        if len(rows) != 1:
            raise TreeBroken("the tree has no head any more")
        return Head(*rows[0])

    def tiles(self, wanted: Sequence[TileId]) -> Mapping[TileId, Tile]:
        """See `TreeStore.tiles`."""
        rows = self._rows(SELECT_TILES, as_json(wanted))
        return {(row[0], row[1]): Tile(*row) for row in rows}

    def append(self, since: Head, head: Head, grown: Sequence[Grown]) -> None:
        """See `TreeStore.append`."""
        with self._datastore.writing() as cursor:
            cursor.execute(MOVE, (head.size, head.position, since.size, since.position))
            if cursor.rowcount != 1:
                raise TreeMoved
            for each in grown:
                columns = (*msgspec.structs.astuple(each.tile), *each.bounds)
                if each.stored:
                    place, filling = columns[:2], columns[2:]
                    length = each.stored * HASH_BYTES
                    cursor.execute(GROW_TILE, (*filling, *place, length))
                else:
                    cursor.execute(INSERT_TILE, columns)
                if cursor.rowcount != 1:
                    raise TreeBroken(
                        f"tile {each.tile.index} of level {each.tile.level} is not as it was left"
                    )

    def tile_of(self, position: int) -> Tile | None:
        """See `TreeStore.tile_of`."""
        for row in self._rows(SELECT_TILE_OF, position):
            tile = Tile(*row)
            return tile if position in tile.leaf_positions() else None
        return None

    def _rows(self, statement: str, *parameters: Any) -> list[Any]:
        with self._datastore.reading() as cursor:
            return cursor.execute(statement, parameters).fetchall()
