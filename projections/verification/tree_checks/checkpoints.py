"""Roots of the log, computed from its events: at its end, and at the sizes of checkpoints."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence

import msgspec

from domain.evidence.checkpoint import Checkpoint
from domain.evidence.merkle import EMPTY, Frontier
from projections.tree.contract import HEIGHT, TILE, TreeBroken, TreeStore
from projections.tree.tiles import Nodes
from projections.verification.findings import Finding, Report


class Met(msgspec.Struct, frozen=True):
    """The root of the events at the size of a checkpoint, and the last event's position."""

    size: int
    root: bytes
    position: int


class Roots(msgspec.Struct, frozen=True):
    """The frontier of the events so far, and the roots at the sizes of checkpoints."""

    frontier: Frontier = Frontier()
    met: tuple[Met, ...] = ()

    def grown(
        self,
        leaves: Sequence[bytes],
        positions: Sequence[int],
        asked: Sequence[int],
        root: bytes = b"",
    ) -> Roots:
        """Return the roots after these leaves; a given `root` over them is not computed again."""
        size, met = self.frontier.size, list(self.met)
        for wanted in asked:
            if size < wanted <= size + len(leaves):
                then = self.frontier.grown(leaves[: wanted - size])
                met.append(Met(wanted, then.root, positions[wanted - size - 1]))
        if root and size % TILE == 0 and len(leaves) == TILE:
            return Roots(self.frontier.grown([root], HEIGHT), tuple(met))
        return Roots(self.frontier.grown(leaves), tuple(met))


def check_checkpoints(
    roots: Roots, checkpoints: Sequence[Checkpoint], tree: TreeStore, report: Report
) -> None:
    """Report every checkpoint that the log does not extend, and the last one that it does."""
    met = {each.size: each for each in (Met(0, EMPTY, 0), *roots.met)}
    kept: Checkpoint | None = None
    for checkpoint in sorted(checkpoints, key=lambda each: each.size):
        there = met.get(checkpoint.size)
        if there and there.root == checkpoint.root:
            kept = checkpoint
            continue
        since = (
            f"the first {kept.size} events, up to position {kept.position}, are as they were "
            f"signed at {kept.made_at}"
            if kept
            else "no smaller checkpoint holds"
        )
        if there is None:
            lost = checkpoint.size - roots.frontier.size
            found = f"{lost} events fewer; {since}"
        else:
            found = (
                f"{b64encode(there.root).decode()}, the last of them at position "
                f"{there.position}; {since}; {_told_by_tree(checkpoint, tree)}"
            )
        report(
            Finding(
                kind="checkpoint",
                position=checkpoint.position,
                expected=f"{checkpoint.size} events with the root "
                f"{b64encode(checkpoint.root).decode()}, signed at {checkpoint.made_at}",
                found=found,
            )
        )


def _told_by_tree(checkpoint: Checkpoint, tree: TreeStore) -> str:
    try:
        root = Nodes(tree).frontier(checkpoint.size).root
    except TreeBroken:
        root = b""
    if root == checkpoint.root:
        return "the tree still has what was signed, so what differs from it is what was changed"
    return "the tree does not have what was signed either"
