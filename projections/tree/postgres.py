"""The tree in the PostgreSQL database of the events; its twin is `sqlite.py`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, LiteralString

import msgspec

from domain.evidence.merkle import HASH_BYTES
from domain.log.connections.postgres import PostgresDatastore
from domain.log.connections.postgres_locks import LOCK_SCHEMA
from domain.log.parameters import as_json
from domain.log.postgres import PostgresRecorder
from domain.log.schema.postgres import PostgresPart
from domain.log.schema.steps import Part, Step, each
from projections.tree.contract import Grown, Head, Tile, TileId, TreeBroken, TreeMoved, new_origin

CREATE: tuple[LiteralString, ...] = (
    """CREATE TABLE IF NOT EXISTS milepost_tree (
         level integer NOT NULL,
         tile bigint NOT NULL,
         hashes bytea NOT NULL,
         positions bytea NOT NULL,
         first_position bigint,
         last_position bigint,
         PRIMARY KEY (level, tile))""",
    """CREATE INDEX IF NOT EXISTS milepost_tree_position
         ON milepost_tree (last_position) WHERE level = 0""",
    """CREATE TABLE IF NOT EXISTS milepost_tree_head (
         size bigint NOT NULL, position bigint NOT NULL)""",
)
# One row at most, and it never changes.
CREATE_ORIGIN = """
    CREATE TABLE IF NOT EXISTS milepost_tree_origin (
      only_row integer PRIMARY KEY CHECK (only_row = 1), origin text NOT NULL)
"""
# While a database is copied by logical replication, PostgreSQL refuses to update a table without a
# primary key, and the tree would stop. The table has one row.
IDENTIFY = "ALTER TABLE milepost_tree_head REPLICA IDENTITY FULL"
PART: PostgresPart = Part(
    "tree",
    (
        Step(1, ("milepost_tree", "milepost_tree_head"), each(*CREATE)),
        Step(2, ("milepost_tree_origin",), each(CREATE_ORIGIN)),
        Step(3, (), each(IDENTIFY)),
    ),
)
# A lost head stays lost while tiles exist: a new head of size 0 would begin another tree.
BEGIN = """
    INSERT INTO milepost_tree_head SELECT 0, 0
     WHERE NOT EXISTS (SELECT FROM milepost_tree_head)
       AND NOT EXISTS (SELECT FROM milepost_tree)
"""
NAME = "INSERT INTO milepost_tree_origin VALUES (1, %s) ON CONFLICT DO NOTHING"
SELECT_ORIGIN = "SELECT origin FROM milepost_tree_origin"
SELECT_HEAD = "SELECT size, position FROM milepost_tree_head"
# LATERAL and OFFSET 0: the plan uses the index, also if it was made when the table was small.
SELECT_TILES = """
    SELECT t.*
      FROM json_array_elements(%s::json) AS wanted
     CROSS JOIN LATERAL (
           SELECT level, tile AS index, hashes, positions FROM milepost_tree
            WHERE level = (wanted->>0)::int AND tile = (wanted->>1)::bigint OFFSET 0) AS t
"""
SELECT_TILE_OF = """
    SELECT level, tile AS index, hashes, positions FROM milepost_tree
     WHERE level = 0 AND last_position >= %s ORDER BY last_position LIMIT 1
"""
# The commit does not wait for the disk: hashes that a crash loses are made again from the events.
NOT_WAITING = "SET LOCAL synchronous_commit = off"
MOVE = "UPDATE milepost_tree_head SET size = %s, position = %s WHERE size = %s AND position = %s"
INSERT_TILE = "INSERT INTO milepost_tree VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING"
GROW_TILE = """
    UPDATE milepost_tree
       SET hashes = %(hashes)s, positions = %(positions)s,
           first_position = %(first)s, last_position = %(last)s
     WHERE level = %(level)s AND tile = %(index)s AND length(hashes) = %(stored)s
"""


class PostgresTree:
    """Store tiles beside the events."""

    part: ClassVar = PART

    def __init__(self, recorder: PostgresRecorder) -> None:
        self.log = recorder
        self._datastore: PostgresDatastore = recorder.datastore

    def prepare(self) -> None:
        """See `TreeStore.prepare`."""
        if not self._datastore.rows(SELECT_HEAD) or self.origin() is None:
            with self._datastore.transaction(commit=True) as cursor:
                cursor.execute(LOCK_SCHEMA)
                cursor.execute(BEGIN)
                cursor.execute(NAME, (new_origin(),))

    def origin(self) -> str | None:
        """See `TreeStore.origin`."""
        rows = self._datastore.rows(SELECT_ORIGIN)
        return str(rows[0]["origin"]) if rows else None

    def head(self) -> Head:
        """See `TreeStore.head`."""
        rows = self._datastore.rows(SELECT_HEAD)
        if len(rows) != 1:
            raise TreeBroken("the tree has no head any more")
        return Head(**rows[0])

    def tiles(self, wanted: Sequence[TileId]) -> Mapping[TileId, Tile]:
        """See `TreeStore.tiles`."""
        rows = self._datastore.rows(SELECT_TILES, (as_json(wanted),))
        return {(row["level"], row["index"]): Tile(**row) for row in rows}

    def append(self, since: Head, head: Head, grown: Sequence[Grown]) -> None:
        """See `TreeStore.append`."""
        with self._datastore.transaction(commit=True) as cursor:
            cursor.execute(NOT_WAITING)
            cursor.execute(MOVE, (head.size, head.position, since.size, since.position))
            if cursor.rowcount != 1:
                raise TreeMoved
            for each in grown:
                tile, (first, last) = each.tile, each.bounds
                if each.stored:
                    columns = {
                        **msgspec.structs.asdict(tile),
                        "first": first,
                        "last": last,
                        "stored": each.stored * HASH_BYTES,
                    }
                    cursor.execute(GROW_TILE, columns)
                else:
                    cursor.execute(INSERT_TILE, (*msgspec.structs.astuple(tile), first, last))
                if cursor.rowcount != 1:
                    raise TreeBroken(
                        f"tile {tile.index} of level {tile.level} is not as it was left"
                    )

    def tile_of(self, position: int) -> Tile | None:
        """See `TreeStore.tile_of`."""
        for row in self._datastore.rows(SELECT_TILE_OF, (position,)):
            tile = Tile(**row)
            return tile if position in tile.leaf_positions() else None
        return None
