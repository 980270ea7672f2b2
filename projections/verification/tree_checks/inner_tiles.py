"""The tiles above the leaves, and the tree's size and last position."""

from __future__ import annotations

from domain.evidence import merkle
from domain.evidence.merkle import HASH_BYTES
from projections.tree.contract import HEIGHT, TILE, Head, TreeBroken, TreeStore
from projections.verification.findings import Finding, Report
from projections.verification.inspection.contract import Inspection
from projections.verification.tree_checks.leaves import UNKNOWN


def check_inner(tree: TreeStore, sums: bytes, report: Report) -> None:
    """Hold each level against the hashes over the tiles below it; `sums` are those of level 0."""
    level = 1
    while sums:
        above = b""
        for first in range(0, len(sums), TILE * HASH_BYTES):
            expected = sums[first : first + TILE * HASH_BYTES]
            index = first // (TILE * HASH_BYTES)
            found = tree.tiles([(level, index)]).get((level, index))
            _check_tile(level, index, expected, found.hashes if found else b"", report)
            if len(expected) == TILE * HASH_BYTES:
                whole = found is not None and len(found) == TILE
                above += merkle.covering(found.nodes()) if found and whole else UNKNOWN
        level, sums = level + 1, above


def _check_tile(level: int, index: int, expected: bytes, there: bytes, report: Report) -> None:
    for at in range(0, len(expected), HASH_BYTES):
        node, found = expected[at : at + HASH_BYTES], there[at : at + HASH_BYTES]
        if node not in (found, UNKNOWN):
            place, height = index * TILE + at // HASH_BYTES, HEIGHT * level
            leaves = f"leaves {place << height} to {(place + 1 << height) - 1}"
            told = f"{node.hex()} over {leaves}, in tile {index} of level {level}"
            report(Finding(kind="tile", expected=told, found=found.hex() or "none"))


def check_head(tree: TreeStore, inspection: Inspection, head: Head, report: Report) -> None:
    """Hold the tree's size and last position against its last tiles."""
    index, place = divmod(max(0, head.size - 1), TILE)
    last = inspection.tiles(0, index, TILE)
    positions = last[0].tile.leaf_positions() if last and last[0].tile.index == index else []
    if head.size and positions[place:] and positions[place] != head.position:
        expected = f"position {positions[place]}, that of leaf {head.size - 1}"
        report(Finding(kind="head", expected=expected, found=f"position {head.position}"))
    try:
        # The size is read after the tiles, so it covers at least their leaves.
        size = tree.head().size
    except TreeBroken as error:
        report(Finding(kind="head", expected="the size of the tree", found=str(error)))
        return
    leaves = last[-1].tile.index * TILE + len(last[-1].tile) if last else 0
    if leaves > size:
        expected = f"the size {leaves}, since there are as many leaves"
        report(Finding(kind="head", expected=expected, found=f"the size {size}"))
