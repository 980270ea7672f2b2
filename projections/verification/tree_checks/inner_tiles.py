"""Check the tiles above level 0, and the tree's size and last position."""

from __future__ import annotations

from domain.evidence import merkle
from domain.evidence.merkle import HASH_BYTES
from projections.tree.contract import HEIGHT, TILE, Head, TreeBroken, TreeStore
from projections.verification.findings import Finding, Report
from projections.verification.inspection.contract import Inspection
from projections.verification.tree_checks.leaves import UNKNOWN


def check_inner(tree: TreeStore, sums: bytes, report: Report) -> None:
    """Compare each level with the hashes over the tiles below it.

    `sums` are the hashes over the tiles of level 0.
    """
    level = 1
    while sums:
        above = b""
        for first in range(0, len(sums), TILE * HASH_BYTES):
            expected = sums[first : first + TILE * HASH_BYTES]
            index = first // (TILE * HASH_BYTES)
            tile = tree.tiles([(level, index)]).get((level, index))
            _check_tile(level, index, expected, tile.hashes if tile else b"", report)
            if len(expected) == TILE * HASH_BYTES:
                is_complete = tile is not None and len(tile) == TILE
                above += merkle.covering(tile.nodes()) if tile and is_complete else UNKNOWN
        level, sums = level + 1, above


def _check_tile(level: int, index: int, expected: bytes, actual: bytes, report: Report) -> None:
    for at in range(0, len(expected), HASH_BYTES):
        wanted, stored = expected[at : at + HASH_BYTES], actual[at : at + HASH_BYTES]
        if wanted not in (stored, UNKNOWN):
            node, height = index * TILE + at // HASH_BYTES, HEIGHT * level
            leaves = f"leaves {node << height} to {(node + 1 << height) - 1}"
            line = f"{wanted.hex()} over {leaves}, in tile {index} of level {level}"
            report(Finding(kind="tile", expected=line, found=stored.hex() or "none"))


def check_head(tree: TreeStore, inspection: Inspection, head: Head, report: Report) -> None:
    """Compare the tree's size and last position with its last tiles."""
    index, offset = divmod(max(0, head.size - 1), TILE)
    last = inspection.tiles(0, index, TILE)
    positions = last[0].tile.leaf_positions() if last and last[0].tile.index == index else []
    if head.size and positions[offset:] and positions[offset] != head.position:
        expected = f"position {positions[offset]}, that of leaf {head.size - 1}"
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
