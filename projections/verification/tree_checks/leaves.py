"""Check the log, in order of position, against the leaves of the tree."""

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
    """The progress of the check: the number of checked tiles, and the last event's position.

    `sums` are the hashes over the leaf tiles, one after the other.
    """

    tiles: int = 0
    position: int = BEFORE_ALL[1]
    roots: Roots = Roots()
    sums: bytes = b""


class Leaves:
    """Checks the events up to the position `upto` against the tree up to `head`.

    `asked` are the sizes at which the check computes the log's root. Memory grows by 32 bytes per
    256 events.
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
        """The progress, with a copy of the sums, because the check appends to them."""
        sums = bytes(self._sums[: self._progress.tiles * HASH_BYTES])
        return msgspec.structs.replace(self._progress, sums=sums)

    def check(self, advance: Callable[[int], object]) -> None:
        """Check every leaf and event; call `advance` with the number of events of each tile."""
        for index, stored in self._tiles():
            advance(self._check(index, min(TILE, self._head.size - index * TILE), stored))
        # The tree has not reached the events that follow yet.
        while events := self._events.next(PAGE):
            leaves = [event.leaf for event in events]
            roots = self._grown(events, leaves)
            self._progress = msgspec.structs.replace(
                self._progress, position=events[-1].position, roots=roots
            )
            advance(len(events))

    def _tiles(self) -> Iterator[tuple[int, StoredTile | None]]:
        count = -(-self._head.size // TILE)
        for start in range(self._progress.tiles, count, TILES_AT_ONCE):
            stored = self._inspection.tiles(0, start, TILES_AT_ONCE)
            by_index = {each.tile.index: each for each in stored}
            for index in range(start, min(start + TILES_AT_ONCE, count)):
                yield index, by_index.get(index)

    def _check(self, index: int, count: int, stored: StoredTile | None) -> int:
        tile = self._readable(index, count, stored)
        if tile is None:
            events = self._events.next(count)
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
        self, index: int, count: int, stored: StoredTile | None
    ) -> tuple[list[bytes], list[int]] | None:
        """Return a tile's hashes and positions; report a tile that Milepost cannot have stored."""
        name = f"tile {index} with leaves {index * TILE} to {index * TILE + count - 1}"
        if stored is None:
            self._report(Finding(kind="tile", expected=name, found="none"))
            return None
        tile = stored.tile
        # The tile may have more leaves than the head that was read before, but not fewer.
        if len(tile.hashes) < count * HASH_BYTES or len(tile.positions) < count * POSITION_BYTES:
            found = f"{len(tile.hashes)} bytes of hashes, {len(tile.positions)} of positions"
            self._report(Finding(kind="tile", expected=name, found=found))
            return None
        positions = tile.leaf_positions()
        first, last = positions[0], positions[-1]
        if (stored.first_position, stored.last_position) != (first, last):
            expected = f"{name} to be found by its positions {first} and {last}"
            found = f"{stored.first_position} and {stored.last_position}"
            self._report(Finding(kind="tile", expected=expected, found=found))
        before = self._progress.position
        for position in positions[:count]:
            if position <= before:
                expected, found = f"{name}, its positions growing", f"{position} after {before}"
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
        """Report the differences; return the hash that the level above must have."""
        hashes, positions = tile
        if [event.position for event in events] == positions and len(leaves) == TILE:
            # If the level above has the hash over the events, the tile was edited, not the events.
            if merkle.covering(leaves) == (above := self._above(index)):
                for offset, (stored, expected) in enumerate(zip(hashes, leaves, strict=True)):
                    if stored != expected:
                        self._report(_edited(index * TILE + offset, events[offset], stored))
                return above
        by_position = {event.position: event for event in events}
        for offset, (position, stored) in enumerate(zip(positions, hashes, strict=True)):
            event = by_position.pop(position, None)
            if event is None or event.leaf != stored:
                self._suspects.add(Leaf(index * TILE + offset, position, stored), event)
        for event in by_position.values():
            self._suspects.add(None, event)
        return total

    def _above(self, index: int) -> bytes | None:
        parent, offset = divmod(index, TILE)
        tile = self._tree.tiles([(1, parent)]).get((1, parent))
        return next(iter(tile.nodes(offset, offset + 1)), None) if tile else None


def _edited(leaf: int, event: Stored, stored: bytes) -> Finding:
    expected = f"the event's hash {event.leaf.hex()} as leaf {leaf}, as the level above has it"
    return Finding.at(event, "tile", expected=expected, found=stored.hex())
