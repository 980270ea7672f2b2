"""The log, in order of position, against the leaves of the tree."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import msgspec

from domain.evidence import merkle
from domain.evidence.merkle import HASH_BYTES
from domain.log.stored import Stored
from projections.comparing.contract import BEFORE_ALL
from projections.tree.contract import POSITION_BYTES, TILE, Head, TreeStore
from projections.verification.findings import Finding, Report
from projections.verification.inspection.contract import Inspection, StoredTile
from projections.verification.inspection.log_pages import PAGE, Events
from projections.verification.tree_checks.checkpoints import Roots
from projections.verification.tree_checks.suspects import Leaf, Suspects

TILES_AT_ONCE = 32
UNKNOWN = b"\0" * HASH_BYTES
"""Stands for the hash over a tile that cannot be read."""


class Progress(msgspec.Struct, frozen=True):
    """How far the check is: the number of whole tiles, and the position of the last event.

    `sums` are the hashes over the leaf tiles, one after the other.
    """

    tiles: int = 0
    position: int = BEFORE_ALL[1]
    roots: Roots = Roots()
    sums: bytes = b""


class Leaves:
    """Checks the events up to `upto` against a tree that goes as far as `head`.

    `asked` are the sizes at which the log's root is computed. Memory grows by 32 bytes per 256
    events.
    """

    def __init__(
        self,
        tree: TreeStore,
        inspection: Inspection,
        head: Head,
        upto: int,
        asked: Sequence[int],
        suspects: Suspects,
        report: Report,
        progress: Progress,
    ) -> None:
        self._tree = tree
        self._inspection = inspection
        self._head = head
        self._asked = asked
        self._suspects = suspects
        self._report = report
        self._progress, self._sums = progress, bytearray(progress.sums)
        self._events = Events(tree.log, progress.position, upto)

    @property
    def progress(self) -> Progress:
        """How far the check is, with a copy of the sums, which grow in place."""
        sums = bytes(self._sums[: self._progress.tiles * HASH_BYTES])
        return msgspec.structs.replace(self._progress, sums=sums)

    def check(self, advance: Callable[[int], object]) -> None:
        """Check every leaf and event; call `advance` with the number of events of each tile."""
        for index, kept in self._tiles():
            advance(self._check(index, min(TILE, self._head.size - index * TILE), kept))
        # The tree has no leaves of the events that follow yet.
        while events := self._events.take(PAGE):
            leaves = [event.leaf for event in events]
            roots = self._grown(events, leaves)
            self._progress = msgspec.structs.replace(
                self._progress, position=events[-1].position, roots=roots
            )
            advance(len(events))

    def _tiles(self) -> Iterator[tuple[int, StoredTile | None]]:
        whole = -(-self._head.size // TILE)
        for start in range(self._progress.tiles, whole, TILES_AT_ONCE):
            kept = self._inspection.tiles(0, start, TILES_AT_ONCE)
            by_index = {each.tile.index: each for each in kept}
            for index in range(start, min(start + TILES_AT_ONCE, whole)):
                yield index, by_index.get(index)

    def _check(self, index: int, count: int, kept: StoredTile | None) -> int:
        tile = self._readable(index, count, kept)
        if tile is None:
            events = self._events.take(count)
            leaves = [event.leaf for event in events]
            position, roots, total = self._progress.position, self._grown(events, leaves), UNKNOWN
        else:
            hashes, positions = tile
            position = positions[-1]
            events = self._events.until(position)
            leaves = [event.leaf for event in events]
            same = leaves == hashes and [event.position for event in events] == positions
            total = merkle.covering(hashes) if count == TILE else b""
            roots = self._grown(events, leaves, total if same else b"")
            if not same:
                total = self._compare(index, tile, events, leaves, total)
        self._sums += total if count == TILE else b""
        self._progress = Progress(
            index + 1, max(position, events[-1].position if events else position), roots
        )
        return len(events)

    def _grown(self, events: Sequence[Stored], leaves: list[bytes], root: bytes = b"") -> Roots:
        positions = [event.position for event in events]
        return self._progress.roots.grown(leaves, positions, self._asked, root)

    def _readable(
        self, index: int, count: int, kept: StoredTile | None
    ) -> tuple[list[bytes], list[int]] | None:
        """Return a tile's hashes and positions; report it if they cannot be what was stored."""
        place = f"tile {index} with leaves {index * TILE} to {index * TILE + count - 1}"
        if kept is None:
            self._report(Finding(kind="tile", expected=place, found="none"))
            return None
        tile = kept.tile
        # The tile may have grown since the head was read, and cannot have lost leaves.
        if len(tile.hashes) < count * HASH_BYTES or len(tile.positions) < count * POSITION_BYTES:
            found = f"{len(tile.hashes)} bytes of hashes, {len(tile.positions)} of positions"
            self._report(Finding(kind="tile", expected=place, found=found))
            return None
        positions = tile.leaf_positions()
        first, last = positions[0], positions[-1]
        if (kept.first_position, kept.last_position) != (first, last):
            expected = f"{place} to be found by its positions {first} and {last}"
            found = f"{kept.first_position} and {kept.last_position}"
            self._report(Finding(kind="tile", expected=expected, found=found))
        before = self._progress.position
        for position in positions[:count]:
            if position <= before:
                expected, found = f"{place}, its positions growing", f"{position} after {before}"
                self._report(Finding(kind="tile", expected=expected, found=found))
                return None
            before = position
        return tile.nodes(0, count), positions[:count]

    def _compare(
        self,
        index: int,
        tile: tuple[list[bytes], list[int]],
        events: Sequence[Stored],
        leaves: list[bytes],
        total: bytes,
    ) -> bytes:
        """Report what differs; return the hash that the level above must have."""
        hashes, positions = tile
        if [event.position for event in events] == positions and len(leaves) == TILE:
            # If the level above has the hash over the events, the tile was edited, not the events.
            if merkle.covering(leaves) == (above := self._above(index)):
                for place, (there, expected) in enumerate(zip(hashes, leaves, strict=True)):
                    if there != expected:
                        self._report(_edited(index * TILE + place, events[place], there))
                return above
        by_position = {event.position: event for event in events}
        for place, (position, there) in enumerate(zip(positions, hashes, strict=True)):
            event = by_position.pop(position, None)
            if event is None or event.leaf != there:
                self._suspects.add(Leaf(index * TILE + place, position, there), event)
        for event in by_position.values():
            self._suspects.add(None, event)
        return total

    def _above(self, index: int) -> bytes | None:
        parent, place = divmod(index, TILE)
        found = self._tree.tiles([(1, parent)]).get((1, parent))
        return next(iter(found.nodes(place, place + 1)), None) if found else None


def _edited(leaf: int, event: Stored, there: bytes) -> Finding:
    expected = f"the event's hash {event.leaf.hex()} as leaf {leaf}, as the level above has it"
    return Finding.at(event, "tile", expected=expected, found=there.hex())
