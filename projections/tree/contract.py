"""The contract of the tree: a hash of every stored event, in order of position, for ever.

The log is hashed as RFC 9162 says (`domain/evidence/merkle.py`) and the hashes are kept in tiles of
256. A tile of level 0 has the hashes of leaves, one of the level above the roots of complete tiles,
and so on; so a proof reads a few rows. Tiles only grow, from the left, and are never made anew:
that would vouch for whatever the log says by then. The stores beside this file (`memory.py`,
`sqlite.py`, `postgres.py`) keep them in the database of the events, in tables that nothing empties.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from domain.errors import MilepostError
from domain.evidence.merkle import HASH_BYTES
from domain.log.reading.contract import Log

HEIGHT = 8
TILE = 1 << HEIGHT
"""How many hashes a complete tile has."""
POSITION_BYTES = 8

Place = tuple[int, int]
"""A tile's level and its index in it."""


class TreeMoved(MilepostError):
    """Another process appended to the tree."""


class TreeBroken(MilepostError):
    """The log or the tree has changed since the tree was grown.

    milepost verify says what changed, and where.
    """


class Head(msgspec.Struct, frozen=True):
    """How many leaves the tree has, and the position of the last one's event."""

    size: int = 0
    position: int = 0


class Tile(msgspec.Struct, frozen=True):
    """A tile's hashes, one after the other; at level 0, also the positions of the leaves."""

    level: int
    index: int
    hashes: bytes
    positions: bytes = b""

    def __len__(self) -> int:
        return len(self.hashes) // HASH_BYTES

    def nodes(self, start: int = 0, stop: int = TILE) -> list[bytes]:
        """Return the hashes from one place to another."""
        raw = self.hashes[start * HASH_BYTES : stop * HASH_BYTES]
        return [raw[at : at + HASH_BYTES] for at in range(0, len(raw), HASH_BYTES)]

    def leaf_positions(self) -> list[int]:
        """Return the positions of the leaves' events."""
        raw = self.positions
        return [
            int.from_bytes(raw[at : at + POSITION_BYTES])
            for at in range(0, len(raw), POSITION_BYTES)
        ]


class Grown(msgspec.Struct, frozen=True):
    """A tile as it shall be stored, and how many of its hashes are stored already."""

    tile: Tile
    kept: int

    @property
    def bounds(self) -> tuple[int, int] | tuple[None, None]:
        """The first and last position, at level 0."""
        positions = self.tile.leaf_positions()
        return (positions[0], positions[-1]) if positions else (None, None)


class TreeStore(Protocol):
    """Tiles beside the events. Every method may raise the library's `PersistenceError`."""

    @property
    def log(self) -> Log:
        """The log that is hashed."""
        ...

    def prepare(self) -> None:
        """Begin with no leaves, unless the tree was begun before."""
        ...

    def head(self) -> Head:
        """Return how far the tree goes; raise `TreeBroken` if that record is lost."""
        ...

    def tiles(self, wanted: Sequence[Place]) -> Mapping[Place, Tile]:
        """Return the wanted tiles that exist."""
        ...

    def append(self, since: Head, head: Head, grown: Sequence[Grown]) -> None:
        """Store the tiles and how far the tree goes now, in one transaction.

        Raises `TreeMoved` if the tree does not end at `since`, and `TreeBroken` if a tile is not as
        it must be there. No hash that is stored changes.
        """
        ...

    def tile_of(self, position: int) -> Tile | None:
        """Return the tile of level 0 that has the leaf of this position, if there is one."""
        ...
