"""The contract of the tree: a hash of every stored event, in order of position, for ever.

The log is hashed as RFC 9162 says (`domain/evidence/merkle.py`), and tiles have 256 hashes each. A
tile of level 0 has the hashes of leaves. A tile of a higher level has the roots of complete tiles
of the level below. So a proof reads a few rows. Tiles only grow, at the end. Milepost never makes
them anew: new tiles would vouch for events that somebody changed in the meantime. The stores beside
this file (`memory.py`, `sqlite.py`, `postgres.py`) have the tiles in the database of the events, in
tables that Milepost never empties.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from domain.errors import MilepostError
from domain.evidence.merkle import HASH_BYTES
from domain.log.reading.contract import Log

HEIGHT = 8
TILE = 1 << HEIGHT
"""The number of hashes in a complete tile."""
POSITION_BYTES = 8
ORIGIN_BYTES = 8
"""How many random bytes tell one log from another."""

TileId = tuple[int, int]
"""A tile's level, and its index in that level."""


def new_origin() -> str:
    """Return a name that no other log has (C2SP's `tlog-checkpoint`, "origin")."""
    return f"milepost/{secrets.token_hex(ORIGIN_BYTES)}"


class TreeMoved(MilepostError):
    """Another process appended to the tree."""


class TreeBroken(MilepostError):
    """The log or the tree has changed since the tree was grown.

    milepost verify says what changed, and where.
    """


class Head(msgspec.Struct, frozen=True):
    """The number of leaves of the tree, and the position of the last leaf's event."""

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
        """Return the hashes from index `start` up to, and without, index `stop`."""
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
    """A tile to be stored, and the number of its first hashes that are stored already."""

    tile: Tile
    stored: int

    @property
    def bounds(self) -> tuple[int, int] | tuple[None, None]:
        """The first and last position at level 0; None for both at higher levels."""
        raw = self.tile.positions
        if not raw:
            return None, None
        return int.from_bytes(raw[:POSITION_BYTES]), int.from_bytes(raw[-POSITION_BYTES:])


class TreeStore(Protocol):
    """Tiles beside the events. Every method may raise the library's `PersistenceError`."""

    @property
    def log(self) -> Log:
        """The log that is hashed."""
        ...

    def prepare(self) -> None:
        """Record a head without leaves, unless the tree has a head or tiles already.

        Record an origin, unless the log has one.
        """
        ...

    def origin(self) -> str | None:
        """Return the log's own name, None before `prepare`. A copy of the log has the same."""
        ...

    def head(self) -> Head:
        """Return the tree's head; raise `TreeBroken` if the head is lost."""
        ...

    def tiles(self, wanted: Sequence[TileId]) -> Mapping[TileId, Tile]:
        """Return the wanted tiles that exist."""
        ...

    def append(self, since: Head, head: Head, grown: Sequence[Grown]) -> None:
        """Store the tiles and the new head, in one transaction. Stored hashes do not change.

        Raises `TreeMoved` if the tree's head is not `since`, and `TreeBroken` if a stored tile does
        not have the number of hashes that `grown` says.
        """
        ...

    def tile_of(self, position: int) -> Tile | None:
        """Return the tile of level 0 that has the leaf of this position; None without one."""
        ...
