"""The tree in memory: for tests, and as the shortest reading of the contract."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from threading import RLock

from domain.log.memory import MemoryRecorder
from projections.tree.contract import Grown, Head, Tile, TileId, TreeBroken, TreeMoved, new_origin


class MemoryTree:
    """Store tiles in a dictionary under the event store's lock."""

    def __init__(self, recorder: MemoryRecorder) -> None:
        self.log = recorder
        self._lock: RLock = recorder._database_lock
        self._head = Head()
        self._origin: str | None = None
        self._tiles: dict[TileId, Tile] = {}

    def prepare(self) -> None:
        """Record an origin, unless the log has one."""
        self._origin = self._origin or new_origin()

    def origin(self) -> str | None:
        """See `TreeStore.origin`."""
        return self._origin

    def head(self) -> Head:
        """See `TreeStore.head`."""
        return self._head

    def tiles(self, wanted: Sequence[TileId]) -> Mapping[TileId, Tile]:
        """See `TreeStore.tiles`."""
        with self._lock:
            return {tile_id: self._tiles[tile_id] for tile_id in wanted if tile_id in self._tiles}

    def append(self, since: Head, head: Head, grown: Sequence[Grown]) -> None:
        """See `TreeStore.append`."""
        with self._lock:
            if self._head != since:
                raise TreeMoved
            for each in grown:
                stored = self._tiles.get((each.tile.level, each.tile.index))
                if (len(stored) if stored else 0) != each.stored:
                    raise TreeBroken
            self._tiles |= {(each.tile.level, each.tile.index): each.tile for each in grown}
            self._head = head

    def tile_of(self, position: int) -> Tile | None:
        """See `TreeStore.tile_of`."""
        with self._lock:
            for tile in self._tiles.values():
                if position in tile.leaf_positions():
                    return tile
            return None
