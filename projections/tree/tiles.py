"""From leaves to tiles, and from tiles to the nodes of the tree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from domain.evidence import merkle
from domain.evidence.merkle import HASH_BYTES, Frontier
from projections.tree.contract import (
    HEIGHT,
    POSITION_BYTES,
    TILE,
    Grown,
    Tile,
    TileId,
    TreeBroken,
    TreeStore,
)


def tails(size: int) -> list[TileId]:
    """Return the ids of the incomplete tiles of a tree of this size, level 0 first."""
    incomplete = []
    level = 0
    while size:
        if size % TILE:
            incomplete.append((level, size // TILE))
        level, size = level + 1, size // TILE
    return incomplete


def grown(
    size: int, tiles: Mapping[TileId, Tile], leaves: Sequence[bytes], positions: Sequence[int]
) -> list[Grown]:
    """Return the tiles that change when a tree of this size gets more leaves.

    `tiles` are its incomplete tiles. Raises `TreeBroken` if they are not those of that size.
    """
    changed: list[Grown] = []
    level, nodes = 0, list(leaves)
    new_positions = b"".join(position.to_bytes(POSITION_BYTES) for position in positions)
    while nodes:
        index, stored = divmod(size, TILE)
        begun = tiles.get((level, index)) if stored else None
        if stored and (begun is None or len(begun) != stored):
            raise TreeBroken(f"tile {index} of level {level} does not have {stored} hashes")
        hashes = (begun.hashes if begun else b"") + b"".join(nodes)
        new_positions = (begun.positions if begun else b"") + new_positions
        nodes = []
        for at in range(0, len(hashes), TILE * HASH_BYTES):
            offset = at // HASH_BYTES
            tile = Tile(
                level,
                index + offset // TILE,
                hashes[at : at + TILE * HASH_BYTES],
                new_positions[offset * POSITION_BYTES : (offset + TILE) * POSITION_BYTES],
            )
            changed.append(Grown(tile, 0 if at else stored))
            if len(tile) == TILE:
                nodes.append(merkle.covering(tile.nodes()))
        level, size, new_positions = level + 1, size // TILE, b""
    return changed


CACHED = 256
"""The most tiles in the cache of `Nodes`. They have a few megabytes."""
CACHED_INSIDE = 16_384
"""The most nodes inside tiles in the cache of `Nodes`. They have a few megabytes."""


class Nodes:
    """The nodes of a tree, with a cache of the tiles that were read, and of nodes inside them."""

    def __init__(self, tree: TreeStore) -> None:
        self._tree = tree
        self._tiles: dict[TileId, Tile] = {}
        self._inside: dict[tuple[int, int], bytes] = {}

    def node(self, level: int, index: int) -> bytes:
        """Return the hash of a complete node; raise `TreeBroken` if its tile is not whole."""
        if (cached := self._inside.get((level, index))) is not None:
            return cached
        # The proofs of a tile's leaves share most nodes, and a large one takes 255 hashes.
        if len(self._inside) >= CACHED_INSIDE:
            self._inside.clear()
        self._inside[level, index] = found = self._computed(level, index)
        return found

    def frontier(self, size: int) -> Frontier:
        """Return the frontier of the first `size` leaves; raise `TreeBroken`."""
        return merkle.frontier(size, self.node)

    def position(self, leaf: int) -> int:
        """Return the position of a leaf's event; raise `TreeBroken`."""
        index, offset = divmod(leaf, TILE)
        positions = self._tile((0, index)).leaf_positions()
        if offset >= len(positions):
            raise TreeBroken(f"tile {index} of level 0 lacks positions")
        return positions[offset]

    def _computed(self, level: int, index: int) -> bytes:
        tile_level, inside = divmod(level, HEIGHT)
        tile_index, start = divmod(index << inside, TILE)
        hashes = self._tile((tile_level, tile_index)).nodes(start, start + (1 << inside))
        if len(hashes) < 1 << inside:
            raise TreeBroken(f"tile {tile_index} of level {tile_level} lacks hashes")
        return merkle.covering(hashes)

    def _tile(self, tile_id: TileId) -> Tile:
        if tile_id not in self._tiles:
            stored = self._tree.tiles([tile_id])
            if tile_id not in stored:
                raise TreeBroken(f"tile {tile_id[1]} of level {tile_id[0]} is missing")
            if len(self._tiles) >= CACHED:
                self._tiles.clear()
            self._tiles[tile_id] = stored[tile_id]
        return self._tiles[tile_id]
