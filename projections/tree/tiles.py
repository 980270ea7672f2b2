"""Between tiles and the nodes of the tree: what grows, and where a node is found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from domain.evidence import merkle
from domain.evidence.merkle import HASH_BYTES, Frontier
from projections.tree.contract import (
    HEIGHT,
    POSITION_BYTES,
    TILE,
    Grown,
    Place,
    Tile,
    TreeBroken,
    TreeStore,
)


def tails(size: int) -> list[Place]:
    """Return the places of the tiles that a tree of this size has begun, from below."""
    found = []
    level = 0
    while size:
        if size % TILE:
            found.append((level, size // TILE))
        level, size = level + 1, size // TILE
    return found


def grown(
    size: int, tiles: Mapping[Place, Tile], leaves: Sequence[bytes], positions: Sequence[int]
) -> list[Grown]:
    """Return what becomes of a tree of this size, whose begun tiles are given, with more leaves.

    Raises `TreeBroken` if the begun tiles are not those of that size.
    """
    found: list[Grown] = []
    level, nodes = 0, list(leaves)
    told = b"".join(position.to_bytes(POSITION_BYTES) for position in positions)
    while nodes:
        index, kept = divmod(size, TILE)
        begun = tiles.get((level, index)) if kept else None
        if kept and (begun is None or len(begun) != kept):
            raise TreeBroken(f"tile {index} of level {level} does not have {kept} hashes")
        hashes = (begun.hashes if begun else b"") + b"".join(nodes)
        told = (begun.positions if begun else b"") + told
        nodes = []
        for at in range(0, len(hashes), TILE * HASH_BYTES):
            place = at // HASH_BYTES
            tile = Tile(
                level,
                index + place // TILE,
                hashes[at : at + TILE * HASH_BYTES],
                told[place * POSITION_BYTES : (place + TILE) * POSITION_BYTES],
            )
            found.append(Grown(tile, 0 if at else kept))
            if len(tile) == TILE:
                nodes.append(merkle.covering(tile.nodes()))
        level, size, told = level + 1, size // TILE, b""
    return found


REMEMBERED = 256
"""How many tiles are remembered at most, which is some megabytes."""


class Nodes:
    """The nodes of a tree; a tile that was just read is not read again."""

    def __init__(self, tree: TreeStore) -> None:
        self._tree = tree
        self._tiles: dict[Place, Tile] = {}

    def node(self, level: int, index: int) -> bytes:
        """Return the hash of a complete node; raise `TreeBroken` if its tile is not whole."""
        tile_level, inside = divmod(level, HEIGHT)
        tile_index, start = divmod(index << inside, TILE)
        hashes = self._tile((tile_level, tile_index)).nodes(start, start + (1 << inside))
        if len(hashes) < 1 << inside:
            raise TreeBroken(f"tile {tile_index} of level {tile_level} lacks hashes")
        return merkle.covering(hashes)

    def frontier(self, size: int) -> Frontier:
        """Return the frontier of the first leaves; raise `TreeBroken`."""
        return merkle.frontier(size, self.node)

    def position(self, leaf: int) -> int:
        """Return the position of a leaf's event; raise `TreeBroken`."""
        index, place = divmod(leaf, TILE)
        positions = self._tile((0, index)).leaf_positions()
        if place >= len(positions):
            raise TreeBroken(f"tile {index} of level 0 lacks positions")
        return positions[place]

    def _tile(self, place: Place) -> Tile:
        if place not in self._tiles:
            found = self._tree.tiles([place])
            if place not in found:
                raise TreeBroken(f"tile {place[1]} of level {place[0]} is missing")
            if len(self._tiles) >= REMEMBERED:
                self._tiles.clear()
            self._tiles[place] = found[place]
        return self._tiles[place]
